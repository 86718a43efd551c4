import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointChoice as rule } from "../../../src/rules/binding/serviceentry-waypoint-choice.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, entry, message, nameLabelPath, places, surroundings, team } from "../../support/team.ts";

const error = [`error ${nameLabelPath}`];

describe("serviceentry-waypoint-choice", () => {
	it("serviceentry-waypoint-choice refuses a waypoint that is not the policy's, whether or not it exists", () => {
		assert.deepEqual(places(rule, boundTo("istio-egress/other")), error);
		assert.match(
			message(rule, boundTo("istio-egress/other")),
			/waypoint istio-egress\/other, but the policy of this namespace \(annotation\) names istio-egress\/egress$/,
		);
	});

	it("serviceentry-waypoint-choice refuses a namesake in the entry's own namespace", () => {
		assert.deepEqual(places(rule, boundTo("team/egress")), error);
	});

	it("serviceentry-waypoint-choice refuses what contradicts the cluster's default", () => {
		const settings = { defaults: { waypoint: "istio-egress/egress" } };
		const given = [team({}), ...surroundings];
		assert.deepEqual(places(rule, boundTo("local"), { given, settings }), error);
		assert.match(message(rule, boundTo("local"), { given, settings }), /\(cluster default\)/);
	});

	it("serviceentry-waypoint-choice accepts the policy's waypoint, by both labels or in its own namespace", () => {
		assert.deepEqual(places(rule, boundTo("istio-egress/egress")), []);
		assert.deepEqual(places(rule, boundTo("local"), { given: [team({ waypoint: "local" })] }), []);
	});

	it("serviceentry-waypoint-choice leaves the choice to the author where no policy made it", () => {
		const given = [team({}, { "istio.io/use-waypoint": "local" })];
		assert.deepEqual(places(rule, boundTo("istio-egress/other"), { given }), []);
		assert.deepEqual(places(rule, boundTo("local"), { given: [team({ waypoint: "none" })] }), []);
	});

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
