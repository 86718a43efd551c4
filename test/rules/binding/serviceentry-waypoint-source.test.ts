import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointSource as rule } from "../../../src/rules/binding/serviceentry-waypoint-source.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, entry, inTeam, places, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const ambient = { given: [team({})] };

testRule(rule, {
	"warns in an ambient namespace where nothing names a waypoint": {
		object: plainEntry,
		...inTeam(ambient),
		finds: ["warning metadata.labels"],
	},
	"warns where only the annotation makes the namespace ambient": {
		object: plainEntry,
		given: [team({ ambient: "enforced" }, {})],
		finds: ["warning metadata.labels"],
	},
	"is silent where ambient is not enforced": [
		{ object: plainEntry, given: [team({}, {})], finds: [] },
		{ object: plainEntry, given: [team({ ambient: "permitted" })], finds: [] },
	],
	"is silent of what the entry or its namespace decided by label": [
		{ object: boundTo("local"), ...inTeam(ambient), finds: [] },
		{ object: boundTo("none"), ...inTeam(ambient), finds: [] },
		{
			object: plainEntry,
			given: [team({}, { "istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "none" })],
			finds: [],
		},
	],
	"is silent of entries that stay inside": {
		object: entry({ location: "MESH_INTERNAL", workloadSelector: { labels: { app: "vm" } } }),
		...inTeam(ambient),
		finds: [],
	},
});

describe("serviceentry-waypoint-source", () => {
	it("serviceentry-waypoint-source is silent where a policy names a waypoint, or says that there is none", () => {
		for (const waypoint of ["istio-egress/egress", "none"]) {
			assert.deepEqual(places(rule, plainEntry, { given: [team({ waypoint })] }), [], waypoint);
			const settings = { defaults: { waypoint } };
			assert.deepEqual(places(rule, plainEntry, { ...ambient, settings }), [], `default ${waypoint}`);
		}
	});
});
