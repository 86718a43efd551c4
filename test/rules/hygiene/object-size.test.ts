import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine, fixingPart } from "../../../src/core/engine.ts";
import { evaluate } from "../../../src/core/evaluate.ts";
import type { AnyObject } from "../../../src/core/kinds.ts";
import { mostItems, mostValues } from "../../../src/core/size.ts";
import {
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { objectSize as rule } from "../../../src/rules/hygiene/object-size.ts";
import { rules } from "../../../src/rules/table.ts";
import { findExample, subjectOf, world } from "../../support/rule-example.ts";

const engine = createEngine(rules);
const state = world([teamNamespace, egressNamespace, egressWaypoint]);
const route = (spec: unknown): AnyObject => ({ ...rule.docs.good, spec }) as never;
const texts = (count: number): readonly string[] =>
	Array.from({ length: count }, (_, index) => `host-${index}.example.com`);

describe("object-size", () => {
	it("object-size says where an object is too large, and the bound", () => {
		const message = (object: AnyObject) =>
			findExample(rule, object).map(({ path, message }) => [path, message]);
		assert.deepEqual(message(route({ hosts: texts(mostItems + 1) })), [
			[["spec", "hosts"], `Too large to judge: this has more than ${mostItems} items`],
		]);
		assert.deepEqual(message(route({ hosts: ["x".repeat(4097)] })), [
			[["spec", "hosts", 0], "Too large to judge: this has more than 4096 characters"],
		]);
		const routes = texts(2000).map((host) => ({
			route: [{ destination: { host } }, { destination: { host } }],
		}));
		assert.deepEqual(message(route({ http: routes, tls: routes, tcp: routes })), [
			[[], `Too large to judge: the object has more than ${mostValues} values`],
		]);
	});

	it("object-size accepts what is within the bounds", () => {
		assert.deepEqual(findExample(rule, route({ hosts: texts(mostItems) })), []);
		const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "x".repeat(200_000) };
		assert.deepEqual(
			findExample(rule, { ...rule.docs.good, metadata: { ...rule.docs.good.metadata, annotations } }),
			[],
		);
	});

	it("evaluate() asks nobody else about an object that is too large, and fixes nothing in it", () => {
		const entry = withSpec(plainEntry, { hosts: ["x".repeat(5000)] });
		const verdict = evaluate(engine, state, subjectOf(entry));
		assert.deepEqual(
			verdict.findings.map((each) => each.rule),
			["object-size"],
		);
		assert.equal(verdict.decision, "deny");
		const fixing = evaluate(fixingPart(engine), state, subjectOf(entry));
		assert.deepEqual([fixing.decision, fixing.fixes], ["allow", []]);
	});

	it("evaluate() lets an update through that leaves an oversized object as it is, and no other", () => {
		const old = withSpec(plainEntry, { hosts: ["x".repeat(5000)] });
		const finalized = { ...old, metadata: { ...old.metadata, finalizers: [] } } as AnyObject;
		assert.equal(evaluate(engine, state, subjectOf(finalized, old)).decision, "allow");
		const changed = withSpec(old, { exportTo: ["."] });
		assert.equal(evaluate(engine, state, subjectOf(changed, old)).decision, "deny");
	});
});
