import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointBinding } from "../../../src/rules/binding/serviceentry-waypoint-binding.ts";
import { serviceentryWaypointOptOut as rule } from "../../../src/rules/binding/serviceentry-waypoint-opt-out.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, entry, nameLabelPath, places, surroundings, team } from "../../support/team.ts";

const optOut = boundTo("none");

describe("serviceentry-waypoint-opt-out", () => {
	it("serviceentry-waypoint-opt-out refuses none where ambient is enforced, by label or by annotation", () => {
		assert.deepEqual(places(rule, optOut), [`error ${nameLabelPath}`]);
		assert.deepEqual(places(rule, optOut, { given: [team({ ambient: "enforced" }, {})] }), [
			`error ${nameLabelPath}`,
		]);
	});

	it("serviceentry-waypoint-opt-out only notes it where ambient is permitted", () => {
		assert.deepEqual(places(rule, optOut, { given: [team({ ambient: "permitted" })] }), [
			`info ${nameLabelPath}`,
		]);
		assert.deepEqual(places(rule, optOut, { given: [team({}, {})] }), [`info ${nameLabelPath}`]);
	});

	it("serviceentry-waypoint-opt-out accepts it where the policy says that there is no waypoint", () => {
		assert.deepEqual(places(rule, optOut, { given: [team({ waypoint: "none" })] }), []);
	});

	it("serviceentry-waypoint-opt-out refuses it where no policy names a waypoint yet", () => {
		assert.deepEqual(places(rule, optOut, { given: [team({})] }), [`error ${nameLabelPath}`]);
	});

	it("serviceentry-waypoint-opt-out accepts entries that stay inside, bound ones, and other spellings", () => {
		const inside = { location: "MESH_INTERNAL", workloadSelector: { labels: { app: "vm" } } };
		assert.deepEqual(places(rule, boundTo("none", entry(inside))), []);
		const corporate = entry({ location: "MESH_INTERNAL", hosts: ["db.partner.corp"] });
		assert.equal(places(rule, boundTo("none", corporate)).length, 1);
		assert.deepEqual(places(rule, boundTo("istio-egress/egress")), []);
		assert.deepEqual(places(rule, boundTo("None")), []);
	});

	it("serviceentry-waypoint-opt-out is no word on the namespace's own label", () => {
		const namespace = team(undefined, {
			"istio.io/dataplane-mode": "ambient",
			"istio.io/use-waypoint": "none",
		});
		assert.deepEqual(places(rule, plainEntry, { given: [namespace, ...surroundings] }), []);
	});

	it("serviceentry-waypoint-opt-out leaves the mark of a waypoint to its own rule, and nothing binds such an entry", () => {
		for (const value of ["istio.io-mesh-controller", "istio.io-eastwest-controller"]) {
			const labels = { "gateway.istio.io/managed": value };
			const managed = { ...plainEntry, metadata: { ...plainEntry.metadata, labels } };
			assert.deepEqual(places(rule, managed), []);
			assert.deepEqual(places(serviceentryWaypointBinding, managed), []);
		}
	});
});
