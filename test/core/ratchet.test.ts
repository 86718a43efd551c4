import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { constantFrom, assert as hold, integer, property, uniqueArray } from "fast-check";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { AnyObject, ServiceEntry } from "../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { graftsOf } from "../support/graft.ts";
import { runs } from "../support/long-form.ts";
import { exampleWorld, subjectOf, world } from "../support/rule-example.ts";

const engine = createEngine(rules);
const limited = withAnnotations(teamNamespace, {
	"egress.waymark.dev/waypoint": "istio-egress/egress",
	"egress.waymark.dev/allowed-hosts": "*.good.example",
	"egress.waymark.dev/allowed-ports": "443/TLS",
});
const state = world([limited, egressNamespace, egressWaypoint]);
const tls = { number: 443, name: "tls", protocol: "TLS" };
const entry = (spec: ServiceEntry["spec"]): ServiceEntry => withSpec(boundEntry, spec);

/** The rules that refuse an update, each with where. */
function denials(object: AnyObject, old: AnyObject): readonly string[] {
	return evaluate(engine, state, subjectOf(object, old)).denials.map(
		({ rule, path }) => `${rule} ${path.join(".")}`,
	);
}

interface Bad {
	readonly world: ReturnType<typeof exampleWorld>;
	readonly object: AnyObject;
}

/** Entries with a mistake each: the bad examples of all rules, in their worlds. */
const bads: readonly Bad[] = rules
	.filter((rule) => rule.docs.old === undefined && rule.docs.bad.kind === "ServiceEntry")
	.map((rule) => ({ world: exampleWorld(rule), object: rule.docs.bad }));

/** Without these an entry says something else: a port without a protocol is another port. */
const needed: ReadonlySet<string> = new Set([
	"hosts",
	"ports",
	"resolution",
	"location",
	"number",
	"targetPort",
	"name",
	"protocol",
	"address",
]);

/** Everything that a spec becomes when one item of a list, or a field that may be absent, is taken away. */
function* without(value: unknown): Iterable<unknown> {
	if (Array.isArray(value)) {
		for (const [index, item] of value.entries()) {
			if (value.length > 1) {
				yield value.filter((_, at) => at !== index);
			}
			for (const less of without(item)) {
				yield value.map((each, at) => (at === index ? less : each));
			}
		}
	} else if (typeof value === "object" && value !== null) {
		for (const [key, item] of Object.entries(value)) {
			const { [key]: _, ...others } = value as Record<string, unknown>;
			if (!needed.has(key)) {
				yield others;
			}
			for (const less of without(item)) {
				yield { ...value, [key]: less };
			}
		}
	}
}

function errorsOf(bad: Bad, object: AnyObject): ReadonlySet<string> {
	const { findings } = evaluate(engine, bad.world, subjectOf(object));
	return new Set(findings.filter((each) => each.severity === "error").map((each) => each.rule));
}

/** Whether an update that only takes something away, and makes no rule speak that did not, is refused. */
function isRefusedWrongly(bad: Bad, object: AnyObject, old: AnyObject): boolean {
	const before = errorsOf(bad, old);
	return (
		[...errorsOf(bad, object)].every((rule) => before.has(rule)) &&
		evaluate(engine, bad.world, subjectOf(object, old)).decision === "deny"
	);
}

describe("markInherited()", () => {
	it("evaluate() never refuses an update that only takes something away from a bad example", () => {
		let updates = 0;
		const refused: string[] = [];
		for (const bad of bads) {
			for (const spec of without((bad.object as ServiceEntry).spec)) {
				updates++;
				const object = { ...bad.object, spec } as AnyObject;
				if (isRefusedWrongly(bad, object, bad.object)) {
					const { denials } = evaluate(engine, bad.world, subjectOf(object, bad.object));
					refused.push(
						`${denials.map(({ rule, path }) => `${rule} ${path.join(".")}`)}: ${JSON.stringify(spec)}`,
					);
				}
			}
		}
		assert.deepEqual(refused, []);
		assert.ok(updates > 30, `${updates} updates`);
	});

	it("evaluate() never refuses an update that only takes one of several mistakes away", () => {
		const parts = bads.flatMap(({ object }) =>
			[...graftsOf(object, boundEntry)].map(({ path }) => ({ path, object })),
		);
		const choose = uniqueArray(
			constantFrom(...parts.filter(({ path }) => path[0] === "spec" && path.length === 2)),
			{
				minLength: 2,
				maxLength: 5,
				selector: ({ path }) => path.join("."),
			},
		);
		const place = { world: state, object: boundEntry };
		hold(
			property(choose, integer({ min: 0, max: 4 }), (chosen, which) => {
				const merged = (list: typeof chosen): AnyObject => {
					const spec = list.map(({ path, object }) => {
						const key = String(path[1]);
						return [key, ((object as ServiceEntry).spec as Record<string, unknown>)[key]] as const;
					});
					return entry(Object.fromEntries(spec) as never);
				};
				const fewer = chosen.filter((_, index) => index !== which % chosen.length);
				// What is taken away must not be replaced by the plain entry's own.
				const dropped = String(chosen[which % chosen.length]?.path[1]);
				if (!Object.hasOwn(boundEntry.spec ?? {}, dropped)) {
					assert.equal(isRefusedWrongly(place, merged(fewer), merged(chosen)), false);
				}
			}),
			runs(1_000),
		);
	});

	it("evaluate() lets the first of two hosts go that cannot be looked up, although the other is then named", () => {
		const old = entry({ hosts: ["a_b.good.example", "c_d.good.example"], ports: [tls] });
		assert.deepEqual(denials(entry({ hosts: ["c_d.good.example"], ports: [tls] }), old), []);
	});

	it("evaluate() finds a new mistake behind any number of old ones", () => {
		const hosts = Array.from({ length: 70 }, (_, index) => `h${index}.old.example`);
		const old = entry({ hosts, ports: [tls] });
		assert.deepEqual(denials(entry({ hosts: [...hosts, "evil.example"], ports: [tls] }), old), [
			"serviceentry-policy-host spec.hosts.70",
		]);
	});

	it("evaluate() extends no old port, protocol or endpoint to a new host", () => {
		const ports = [tls, { number: 22, name: "ssh", protocol: "TLS" }];
		const old = entry({ hosts: ["a.good.example"], ports });
		assert.deepEqual(denials(entry({ hosts: ["a.good.example"], ports }), old), []);
		assert.deepEqual(denials(entry({ hosts: ["a.good.example", "b.good.example"], ports }), old), [
			"serviceentry-policy-port spec.ports.1.number",
		]);
		const endpoints = [{ address: "files.evil.example" }];
		const behind = entry({ hosts: ["a.good.example"], ports: [tls], endpoints });
		assert.deepEqual(denials(entry({ hosts: ["b.good.example"], ports: [tls], endpoints }), behind), [
			"serviceentry-policy-host spec.endpoints.0.address",
		]);
	});

	it("evaluate() takes the same mistake on another port, or once more, for a new one", () => {
		const ssh = { number: 22, name: "ssh", protocol: "TLS" };
		const old = entry({ hosts: ["a.good.example"], ports: [tls, ssh] });
		assert.deepEqual(
			denials(entry({ hosts: ["a.good.example"], ports: [tls, { ...ssh, number: 23 }] }), old),
			["serviceentry-policy-port spec.ports.1.number"],
		);
		const more = entry({
			hosts: ["a.good.example"],
			ports: [tls, ssh, { ...ssh, number: 2222, name: "more" }],
		});
		assert.deepEqual(denials(more, old), ["serviceentry-policy-port spec.ports.2.number"]);
	});

	it("evaluate() takes a port that speaks another protocol for another port", () => {
		const ssh = { number: 22, name: "ssh", protocol: "TLS" };
		const old = entry({ hosts: ["a.good.example"], ports: [tls, ssh] });
		const plain = entry({ hosts: ["a.good.example"], ports: [{ ...tls, protocol: "TCP" }, ssh] });
		assert.deepEqual(denials(plain, old), ["serviceentry-policy-port spec.ports.0.number"]);
	});
});
