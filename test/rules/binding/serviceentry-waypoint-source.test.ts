import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointSource as rule } from "../../../src/rules/binding/serviceentry-waypoint-source.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, entry, places, team } from "../../support/team.ts";

const ambient = { given: [team({})] };

describe("serviceentry-waypoint-source", () => {
	it("serviceentry-waypoint-source warns in an ambient namespace where nothing names a waypoint", () => {
		assert.deepEqual(places(rule, plainEntry, ambient), ["warning metadata.labels"]);
	});

	it("serviceentry-waypoint-source warns where only the annotation makes the namespace ambient", () => {
		assert.deepEqual(places(rule, plainEntry, { given: [team({ ambient: "enforced" }, {})] }), [
			"warning metadata.labels",
		]);
	});

	it("serviceentry-waypoint-source is silent where ambient is not enforced", () => {
		assert.deepEqual(places(rule, plainEntry, { given: [team({}, {})] }), []);
		assert.deepEqual(places(rule, plainEntry, { given: [team({ ambient: "permitted" })] }), []);
	});

	it("serviceentry-waypoint-source is silent where a policy names a waypoint, or says that there is none", () => {
		for (const waypoint of ["istio-egress/egress", "none"]) {
			assert.deepEqual(places(rule, plainEntry, { given: [team({ waypoint })] }), [], waypoint);
			const settings = { defaults: { waypoint } };
			assert.deepEqual(places(rule, plainEntry, { ...ambient, settings }), [], `default ${waypoint}`);
		}
	});

	it("serviceentry-waypoint-source is silent of what the entry or its namespace decided by label", () => {
		assert.deepEqual(places(rule, boundTo("local"), ambient), []);
		assert.deepEqual(places(rule, boundTo("none"), ambient), []);
		const optedOut = team({}, { "istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "none" });
		assert.deepEqual(places(rule, plainEntry, { given: [optedOut] }), []);
	});

	it("serviceentry-waypoint-source is silent of entries that stay inside", () => {
		assert.deepEqual(
			places(
				rule,
				entry({ location: "MESH_INTERNAL", workloadSelector: { labels: { app: "vm" } } }),
				ambient,
			),
			[],
		);
	});
});
