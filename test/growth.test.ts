import assert from "node:assert/strict";
import { it } from "node:test";
import { validated } from "../src/admission/response.ts";
import { readReview } from "../src/admission/review.ts";
import { createEngine } from "../src/core/engine.ts";
import { evaluate } from "../src/core/evaluate.ts";
import type { AnyObject, ServiceEntry } from "../src/core/kinds.ts";
import { kindOfObject } from "../src/core/kinds.ts";
import { defaultSettings } from "../src/core/settings.ts";
import { judgeManifests } from "../src/lint/judge.ts";
import { dialectOf } from "../src/manifests/dialect.ts";
import { fixedText } from "../src/manifests/fix.ts";
import { parseManifests, worldOf } from "../src/manifests/read.ts";
import { migrate } from "../src/migrate/migrate.ts";
import { readReach } from "../src/reach/reach.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../src/rules/examples.ts";
import { rules } from "../src/rules/table.ts";
import { traceAll } from "../src/trace/hosts.ts";
import { traceRoute } from "../src/trace/route.ts";
import { makeBundle } from "./support/generated-bundles.ts";
import { sampleOf } from "./support/long-form.ts";
import { exampleDay, subjectOf, world } from "./support/rule-example.ts";
import type { Prepare } from "./support/slope.ts";
import { steepSlope } from "./support/slope.ts";

const engine = createEngine(rules);
const surroundings = [teamNamespace, egressNamespace, egressWaypoint];

function counted<T>(size: number, make: (index: number) => T): readonly T[] {
	return Array.from({ length: size }, (_, index) => make(index));
}

/** An entry of a namespace of its own, with a name and hosts. */
function entryOf(
	index: number,
	hosts: readonly string[],
	labels: Readonly<Record<string, string>> = {},
): ServiceEntry {
	return {
		...plainEntry,
		metadata: { name: "entry", namespace: `team-${index}`, labels },
		spec: { ...plainEntry.spec, hosts },
	};
}

function ambientNamespace(index: number): AnyObject {
	return {
		apiVersion: "v1",
		kind: "Namespace",
		metadata: { name: `team-${index}`, labels: { "istio.io/dataplane-mode": "ambient" } },
	};
}

const bound = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };

/** A namespace with an entry for the same host as all others. */
function sharing(index: number, spec: ServiceEntry["spec"] = {}): readonly AnyObject[] {
	return [ambientNamespace(index), withSpec(entryOf(index, ["api.example.com"], bound), spec ?? {})];
}

function yamlOf(index: number, lines = ""): string {
	return `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e${index}, namespace: shop}\nspec:\n${lines}  hosts: [API-${index}.example.com]\n  ports: [{number: 443, name: tls, protocol: TLS}]\n  resolution: DNS\n`;
}

function lint(text: string): () => unknown {
	return () => {
		const reading = parseManifests(text, "a.yaml");
		const inventory = worldOf(reading.manifests, defaultSettings);
		return judgeManifests(reading, { rules, inventory, today: exampleDay, withReplacements: true });
	};
}

/** What grows, by what it is, and the size at which its measurement begins. */
const growing: Readonly<Record<string, readonly [number, Prepare]>> = {
	"evaluate() of a host that many namespaces have": [
		100,
		(size) => {
			const others = counted(size, (index) => [
				ambientNamespace(index),
				entryOf(index, ["api.payments.example.com"], bound),
			]).flat();
			const state = world([...surroundings, ...others]);
			return () => counted(10, () => evaluate(engine, state, subjectOf(boundEntry)));
		},
	],
	"evaluate() of a wildcard above hosts that many namespaces have": [
		100,
		(size) => {
			const others = counted(size, (index) => [
				ambientNamespace(index),
				entryOf(index, [`h${index}.example.com`, "one.example.com"], bound),
			]).flat();
			const state = world([...surroundings, ...others]);
			const wildcard = withSpec(boundEntry, { hosts: ["*.example.com"], resolution: "DYNAMIC_DNS" });
			return () => counted(10, () => evaluate(engine, state, subjectOf(wildcard)));
		},
	],
	"evaluate() of an update that keeps many mistakes": [
		32,
		(size) => {
			const hosts = counted(size, (index) => `API-${index}.example.com`);
			const old = withSpec(boundEntry, { hosts });
			const subject = subjectOf(withSpec(boundEntry, { hosts: hosts.toReversed() }), old);
			const state = world(surroundings);
			return () => evaluate(engine, state, subject);
		},
	],
	"validated() of many denials": [
		32,
		(size) => {
			const ports = counted(size, (index) => ({ number: index + 1, name: `UP-${index}`, protocol: "UDP" }));
			const subject = subjectOf(withSpec(boundEntry, { ports }));
			const verdict = evaluate(engine, world(surroundings), subject);
			const review = readReview({ request: {} }, exampleDay) as never;
			return () => validated(review, verdict, { isUnconfirmed: false, staleMs: undefined });
		},
	],
	"ClusterState.set() and delete() of entries that share a host": [
		1_000,
		(size) => {
			const entries = counted(size, (index) => entryOf(index, ["api.example.com", `h${index}.example.com`]));
			return () => {
				const state = world(entries);
				for (const { metadata } of entries) {
					state.delete("ServiceEntry", metadata?.namespace ?? "", metadata?.name ?? "");
				}
			};
		},
	],
	"traceRoute() to one host of many": [
		200,
		(size) => {
			const others = counted(size, (index) => [
				ambientNamespace(index),
				entryOf(index, [`h${index}.example.com`], bound),
			]).flat();
			const state = world([...surroundings, ...others, boundEntry]);
			const question = { host: "api.payments.example.com", port: 443, from: "team" };
			return () => counted(100, () => traceRoute(question, state));
		},
	],
	"traceRoute() to a host that many namespaces have": [
		100,
		(size) => {
			const state = world([...surroundings, ...counted(size, (index) => sharing(index)).flat()]);
			const question = { host: "api.example.com", port: 443, from: "team-1" };
			return () => traceRoute(question, state);
		},
	],
	"traceRoute() to an address that many namespaces have": [
		100,
		(size) => {
			const objects = counted(size, (index) => sharing(index, { addresses: ["203.0.113.1"] })).flat();
			const state = world([...surroundings, ...objects]);
			const question = { host: "203.0.113.1", port: 443, from: "team-1" };
			return () => traceRoute(question, state);
		},
	],
	"traceAll() of a host that many namespaces have": [
		100,
		(size) => {
			const state = world([...surroundings, ...counted(size, (index) => sharing(index)).flat()]);
			return () => traceAll(state);
		},
	],
	"traceAll() of a host that many entries of one namespace have": [
		100,
		(size) => {
			const entries = counted(size, (index) => ({
				...plainEntry,
				metadata: { name: `entry-${index}`, namespace: "team" },
			}));
			const state = world([...surroundings, ...entries]);
			return () => traceAll(state);
		},
	],
	"readReach() of a host that many namespaces have": [
		100,
		(size) => {
			const state = world([...surroundings, ...counted(size, (index) => sharing(index)).flat()]);
			return () => readReach(state, exampleDay);
		},
	],
	"traceAll() of many entries": [
		200,
		(size) => {
			const state = world([
				...surroundings,
				...counted(size, (index) => entryOf(index, [`h${index}.example.com`], bound)),
			]);
			return () => traceAll(state);
		},
	],
	"lint of a file of many documents": [
		25,
		(size) => lint(counted(size, (index) => yamlOf(index)).join("---\n")),
	],
	"lint of a List of many items with many ignore comments": [
		25,
		(size) => {
			const item = (index: number): string =>
				yamlOf(index, `  # waymark:ignore serviceentry-host-spelling reason ${index}\n`)
					.trimEnd()
					.replaceAll("\n", "\n  ");
			const items = counted(size, (index) => `- ${item(index)}\n`).join("");
			return lint(`apiVersion: v1\nkind: List\nitems:\n${items}`);
		},
	],
	"lint of a text with many bad separators": [1_000, (size) => lint("--- x\n".repeat(size))],
	"dialectOf() of one long line": [
		10_000,
		(size) => {
			const texts = ["a ", "a: ", "- ", " ", "{{ a", "a: {{ a ", "a: {{ ", "#", "{% "].map((each) =>
				each.repeat(size),
			);
			return () => texts.map((text) => dialectOf(`a: }}${text}`, true) ?? dialectOf(`${text} {{`, true));
		},
	],
	"fixedText() of many documents": [
		25,
		(size) => {
			const text = counted(size, (index) => yamlOf(index)).join("---\n");
			const { manifests } = parseManifests(text, "a.yaml");
			const fixes = manifests.map((manifest, index) => ({
				manifest,
				edits: [{ op: "set" as const, path: ["spec", "hosts", 0], value: `api-${index}.example.com` }],
			}));
			const source = manifests[0]?.source;
			return () => source && fixedText(source, fixes);
		},
	],
	"migrate() of many ways out by one gateway": [
		10,
		(size) => {
			const objects = counted(size, (index) => makeBundle(`way-${index}`, "origination", []).objects).flat();
			const state = world([egressNamespace, egressWaypoint]);
			const inputs = objects.map((given) => {
				const object = given as unknown as AnyObject;
				return {
					kind: kindOfObject(object),
					title: object.kind ?? "",
					namespace: object.metadata?.namespace ?? "",
					name: object.metadata?.name ?? "",
					object: object as never,
					file: "a.yaml",
					line: 1,
				};
			});
			for (const { kind, object } of inputs) {
				if (kind !== undefined) {
					state.set(kind, object);
				}
			}
			return () => migrate(inputs, state, { namespace: "istio-egress", name: "egress" });
		},
	],
};

/** An object under another name; a Namespace keeps its own, since what is in it names it. */
function renamed(object: AnyObject, index: number): AnyObject {
	return object.kind === "Namespace"
		? object
		: { ...object, metadata: { ...object.metadata, name: `${object.metadata?.name ?? "object"}-${index}` } };
}

it("evaluate() of every bad example beside many copies of what is given costs no more than its share", () => {
	const steep = sampleOf(rules).flatMap(({ id, docs }) => {
		const given = docs.given ?? [];
		const subject = subjectOf(docs.bad as AnyObject, docs.old as AnyObject | undefined);
		const fault = steepSlope((size) => {
			const copies = counted(size, (index) => given.map((object) => renamed(object, index))).flat();
			const state = world([...given, ...copies], docs.settings);
			return () => evaluate(engine, state, subject);
		}, 25);
		return fault === undefined ? [] : [`${id}: ${fault}`];
	});
	assert.deepEqual(steep, []);
});

/** Adds up so many numbers. */
function addUp(count: number): number {
	let sum = 0;
	for (let index = 0; index < count; index++) {
		sum += Math.sqrt(index);
	}
	return sum;
}

function listOf(count: number): readonly unknown[] {
	return Array.from({ length: count }, (_, index) => ({ index }));
}

const measured: readonly (readonly [string, Prepare, RegExp])[] = [
	["time in proportion", (size) => () => addUp(size * 5_000), /^$/],
	["time in the square", (size) => () => addUp(size ** 2 * 5), /^slope [12]\.\d\d of time: /],
	["bytes in proportion", (size) => () => listOf(size * 20), /^$/],
	["bytes in the square", (size) => () => listOf(size ** 2 / 8), /^slope [12]\.\d\d of /],
];

for (const [what, prepare, expected] of sampleOf(measured)) {
	it(`steepSlope() tells what takes ${what}`, () => {
		// Who disturbs the shorter runs of a round hides a slope in it; in five measurements nobody does that each time.
		let said = "";
		for (let count = 0; count < 5 && (count === 0 || !expected.test(said)); count++) {
			said = steepSlope(prepare, 100) ?? "";
		}
		assert.match(said, expected);
	});
}

for (const [what, [size, prepare]] of sampleOf(Object.entries(growing))) {
	it(`${what} costs no more than its share`, () => {
		assert.equal(steepSlope(prepare, size), undefined, what);
	});
}
