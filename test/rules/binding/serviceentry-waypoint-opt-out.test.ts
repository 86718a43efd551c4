import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointBinding } from "../../../src/rules/binding/serviceentry-waypoint-binding.ts";
import { serviceentryWaypointOptOut as rule } from "../../../src/rules/binding/serviceentry-waypoint-opt-out.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, entry, inTeam, nameLabelPath, places, surroundings, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const optOut = boundTo("none");

testRule(rule, {
	"refuses none where ambient is enforced, by label or by annotation": [
		{ object: optOut, ...inTeam(), finds: [`error ${nameLabelPath}`] },
		{ object: optOut, given: [team({ ambient: "enforced" }, {})], finds: [`error ${nameLabelPath}`] },
	],
	"only notes it where ambient is permitted": [
		{ object: optOut, given: [team({ ambient: "permitted" })], finds: [`info ${nameLabelPath}`] },
		{ object: optOut, given: [team({}, {})], finds: [`info ${nameLabelPath}`] },
	],
	"accepts it where the policy says that there is no waypoint": {
		object: optOut,
		given: [team({ waypoint: "none" })],
		finds: [],
	},
	"refuses it where no policy names a waypoint yet": {
		object: optOut,
		given: [team({})],
		finds: [`error ${nameLabelPath}`],
	},
	"is no word on the namespace's own label": {
		object: plainEntry,
		given: [
			team(undefined, {
				"istio.io/dataplane-mode": "ambient",
				"istio.io/use-waypoint": "none",
			}),
			...surroundings,
		],
		finds: [],
	},
});

describe("serviceentry-waypoint-opt-out", () => {
	it("serviceentry-waypoint-opt-out accepts entries that stay inside, bound ones, and other spellings", () => {
		const inside = { location: "MESH_INTERNAL", workloadSelector: { labels: { app: "vm" } } };
		assert.deepEqual(places(rule, boundTo("none", entry(inside))), []);
		const corporate = entry({ location: "MESH_INTERNAL", hosts: ["db.partner.corp"] });
		assert.equal(places(rule, boundTo("none", corporate)).length, 1);
		assert.deepEqual(places(rule, boundTo("istio-egress/egress")), []);
		assert.deepEqual(places(rule, boundTo("None")), []);
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
