import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine } from "../../../src/core/engine.ts";
import { evaluate } from "../../../src/core/evaluate.ts";
import type { AnyObject, Kind } from "../../../src/core/kinds.ts";
import { kindOfObject, kinds } from "../../../src/core/kinds.ts";
import type { Shape } from "../../../src/core/shape.ts";
import { rules } from "../../../src/rules/table.ts";
import { objectShape as rule } from "../../../src/rules/validity/object-shape.ts";
import { exampleWorld, findExample, subjectOf, world } from "../../support/rule-example.ts";

const engine = createEngine(rules);
type Path = readonly (string | number)[];

/** Every place of an object that its shape names, with what belongs there. */
function* placesOf(value: unknown, shape: Shape, path: Path): Iterable<readonly [Path, Shape]> {
	if (path.length > 0) {
		yield [path, shape];
	}
	if (typeof shape === "string" || typeof value !== "object" || value === null) {
		return;
	}
	if ("list" in shape) {
		yield* placesOf((value as readonly unknown[])[0], shape.list, [...path, 0]);
	} else if ("map" in shape) {
		for (const [key, item] of Object.entries(value).slice(0, 1)) {
			yield* placesOf(item, shape.map, [...path, key]);
		}
	} else {
		for (const [field, inner] of Object.entries(shape.fields)) {
			yield* placesOf((value as Readonly<Record<string, unknown>>)[field], inner, [...path, field]);
		}
	}
}

const wrong: readonly unknown[] = ["x", 1, true, ["x"], { x: "y" }, [1], { x: 1 }];

function replaced(value: unknown, [step, ...rest]: Path, by: unknown): unknown {
	if (step === undefined) {
		return by;
	}
	if (typeof step === "number") {
		return [replaced((value as readonly unknown[] | undefined)?.[0], rest, by)];
	}
	const fields = (value ?? {}) as Readonly<Record<string, unknown>>;
	return { ...fields, [step]: replaced(fields[step], rest, by) };
}

function belongs(value: unknown, shape: Shape): boolean {
	if (typeof shape === "string") {
		return typeof value === shape;
	}
	if ("list" in shape) {
		return Array.isArray(value) && value.every((item) => belongs(item, shape.list));
	}
	if (typeof value !== "object" || value === null || Array.isArray(value)) {
		return false;
	}
	return !("map" in shape) || Object.values(value).every((item) => belongs(item, shape.map));
}

interface Variant {
	readonly name: string;
	readonly path: Path;
	readonly object: AnyObject;
}

/** The bad example of a rule with a value of another type in each place that Waymark reads, one at a time. */
function* variantsOf(bad: AnyObject, kind: Kind): Iterable<Variant> {
	for (const [path, shape] of placesOf(bad, kinds[kind].shape, [])) {
		const isName =
			path[0] === "apiVersion" || path[0] === "kind" || path[1] === "name" || path[1] === "namespace";
		for (const value of isName ? [] : wrong.filter((each) => !belongs(each, shape))) {
			yield {
				name: `${kind} ${path.join(".")} = ${JSON.stringify(value)}`,
				path,
				object: replaced(bad, path, value) as AnyObject,
			};
		}
	}
}

describe("object-shape", () => {
	it("object-shape names each field that cannot be read, and what belongs there", () => {
		const [first, ...others] = findExample(rule, rule.docs.bad);
		assert.deepEqual(first?.path, ["spec", "hosts"]);
		assert.match(first?.message ?? "", /^Here a list belongs, and not "api\.example\.com"/);
		assert.deepEqual(others, []);
	});

	it("evaluate() lets no field of another type silence the rules: it is an error, or a status that counts as absent", () => {
		let variants = 0;
		const silenced: string[] = [];
		for (const { docs } of rules) {
			const kind = kindOfObject(docs.bad);
			if (kind === undefined || docs.old !== undefined || belongsNot(docs.bad, kind)) {
				continue;
			}
			const state = exampleWorld({ ...rule, docs: docs as never });
			const whole = evaluate(engine, state, subjectOf({ ...docs.bad, status: undefined } as never));
			for (const { name, path, object } of variantsOf(docs.bad, kind)) {
				variants++;
				const { findings } = evaluate(engine, state, subjectOf(object));
				const isSaid = findings.some(
					(each) => each.severity === "error" && /^(object-shape|serviceentry-schema)$/.test(each.rule),
				);
				const isSame = JSON.stringify(findings) === JSON.stringify(whole.findings);
				if (path[0] === "status" ? !isSame : !isSaid) {
					silenced.push(name);
				}
			}
		}
		assert.deepEqual([...new Set(silenced)], []);
		assert.ok(variants > 3_000, `${variants} variants were tried`);
	});

	it("evaluate() judges an update although both statuses cannot be read", () => {
		const entry = (host: string): AnyObject =>
			({
				apiVersion: "networking.istio.io/v1",
				kind: "ServiceEntry",
				metadata: { name: "pay", namespace: "team" },
				spec: { hosts: [host], ports: [{ number: 443, name: "tls", protocol: "TLS" }], resolution: "DNS" },
				status: { addresses: "x" },
			}) as never;
		const namespace = {
			apiVersion: "v1",
			kind: "Namespace",
			metadata: { name: "team", annotations: { "egress.waymark.dev/allowed-hosts": "*.example.com" } },
		};
		const verdict = evaluate(
			engine,
			world([namespace]),
			subjectOf(entry("files.example.org"), entry("api.example.com")),
		);
		assert.deepEqual(
			verdict.denials.map((each) => each.rule),
			["serviceentry-policy-host"],
		);
	});

	it("evaluate() excuses nothing by an older object that cannot be read, unless nothing changes", () => {
		const route = (gateways: unknown): AnyObject =>
			({ ...rule.docs.bad, spec: { hosts: "x", gateways } }) as never;
		const decision = (object: AnyObject, old: AnyObject) =>
			evaluate(engine, world(), subjectOf(object, old)).decision;
		assert.equal(decision(route(["a"]), route(["a"])), "allow");
		assert.equal(decision(route(["b"]), route(["a"])), "deny");
	});
});

function belongsNot(object: AnyObject, kind: Kind): boolean {
	const { findings } = evaluate(engine, world(), { ...subjectOf(object), kind });
	return findings.some(({ rule: id }) => id === "object-shape" || id === "object-size");
}
