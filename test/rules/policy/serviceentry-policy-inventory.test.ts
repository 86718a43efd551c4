import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServiceEntry } from "../../../src/core/kinds.ts";
import { exampleService } from "../../../src/rules/examples.ts";
import { serviceentryPolicyInventory as rule } from "../../../src/rules/policy/serviceentry-policy-inventory.ts";
import type { Circumstances } from "../../support/team.ts";
import { beside, entry, message, places, team } from "../../support/team.ts";

function requiring(...require: readonly string[]): Circumstances {
	return { given: [team()], settings: { inventory: { require } } };
}

function saying(
	annotations: Readonly<Record<string, string>>,
	spec: ServiceEntry["spec"] = {},
): ServiceEntry {
	const plain = entry(spec);
	const named = Object.entries(annotations).map(([name, value]) => [`egress.waymark.dev/${name}`, value]);
	return { ...plain, metadata: { ...plain.metadata, annotations: Object.fromEntries(named) } };
}

const at = (name: string, severity = "error"): string =>
	`${severity} metadata.annotations["egress.waymark.dev/${name}"]`;

describe("serviceentry-policy-inventory", () => {
	it("serviceentry-policy-inventory asks for nothing where nothing is required", () => {
		assert.deepEqual(places(rule, saying({}), { given: [team()] }), []);
		assert.deepEqual(places(rule, saying({}), requiring()), []);
	});

	it("serviceentry-policy-inventory names each required annotation that is missing or empty, in a fixed order", () => {
		const all = requiring("review-by", "reason", "owner", "ticket");
		const wanted = ["owner", "ticket", "reason", "review-by"].map((name) => at(name));
		assert.deepEqual(places(rule, saying({}), all), wanted);
		assert.deepEqual(places(rule, saying({ owner: "  ", ticket: "EG-1" }), all), [
			wanted[0],
			...wanted.slice(2),
		]);
		assert.match(
			message(rule, saying({}), requiring("owner")),
			/owner is missing, and the cluster requires it/,
		);
		assert.deepEqual(
			places(rule, saying({ owner: "a", ticket: "b", reason: "c", "review-by": "2199-01-31" }), all),
			[],
		);
	});

	it("serviceentry-policy-inventory refuses a review date that is no day, and warns of one that has passed", () => {
		const review = requiring("review-by");
		assert.deepEqual(places(rule, saying({ "review-by": "2199-02-30" }), review), [at("review-by")]);
		assert.deepEqual(places(rule, saying({ "review-by": "soon" }), review), [at("review-by")]);
		assert.deepEqual(places(rule, saying({ "review-by": "2020-01-31" }), review), [
			at("review-by", "warning"),
		]);
		assert.match(message(rule, saying({ "review-by": "2020-01-31" }), review), /was due by 2020-01-31$/);
	});

	it("serviceentry-policy-inventory leaves entries for the cluster's own names alone", () => {
		const internal = { location: "MESH_INTERNAL", hosts: ["db.shop.svc.cluster.local"] };
		const known = beside(requiring("owner"), exampleService("db", "shop", "10.96.0.9"));
		assert.deepEqual(places(rule, saying({}, internal), known), []);
	});
});
