import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointChoice as rule } from "../../../src/rules/binding/serviceentry-waypoint-choice.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, entry, inTeam, nameLabelPath, places, surroundings, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const error = [`error ${nameLabelPath}`];

const given = [team({}, { "istio.io/use-waypoint": "local" })];

testRule(rule, {
	"refuses a waypoint that is not the policy's, whether or not it exists": {
		object: boundTo("istio-egress/other"),
		...inTeam(),
		finds: error,
		says: /waypoint istio-egress\/other, but the policy of this namespace \(annotation\) names istio-egress\/egress$/,
	},
	"refuses a namesake in the entry's own namespace": {
		object: boundTo("team/egress"),
		...inTeam(),
		finds: error,
	},
	"refuses what contradicts the cluster's default": {
		object: boundTo("local"),
		given: [team({}), ...surroundings],
		settings: { defaults: { waypoint: "istio-egress/egress" } },
		finds: error,
		says: /\(cluster default\)/,
	},
	"accepts the policy's waypoint, by both labels or in its own namespace": [
		{ object: boundTo("istio-egress/egress"), ...inTeam(), finds: [] },
		{ object: boundTo("local"), given: [team({ waypoint: "local" })], finds: [] },
	],
	"leaves the choice to the author where no policy made it": [
		{ object: boundTo("istio-egress/other"), given, finds: [] },
		{ object: boundTo("local"), given: [team({ waypoint: "none" })], finds: [] },
	],
});

describe("serviceentry-waypoint-choice", () => {
	it("serviceentry-waypoint-choice holds what leaves the cluster to the policy, whatever its location says", () => {
		const corporate = entry({ location: "MESH_INTERNAL", hosts: ["db.partner.corp"] });
		assert.equal(places(rule, boundTo("istio-egress/other", corporate)).length, 1);
	});

	it("serviceentry-waypoint-choice leaves entries that stay inside, odd labels, opt-outs and a missing twin alone", () => {
		const inside = { location: "MESH_INTERNAL", workloadSelector: { labels: { app: "vm" } } };
		assert.deepEqual(places(rule, boundTo("istio-egress/other", entry(inside))), []);
		for (const label of ["None", "", "none", "egress"]) {
			assert.deepEqual(places(rule, boundTo(label)), [], label);
		}
		assert.deepEqual(places(rule, plainEntry), []);
	});
});
