import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointLabel as rule } from "../../../src/rules/binding/serviceentry-waypoint-label.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, judge, nameLabelPath, namespaceLabelPath, places } from "../../support/team.ts";

describe("serviceentry-waypoint-label", () => {
	for (const value of ["", "None", "NONE", "Egress", "-egress", "egress-", "a_b", "a b", "x".repeat(64)]) {
		it(`serviceentry-waypoint-label refuses "${value}" as a waypoint's name`, () => {
			assert.deepEqual(places(rule, boundTo(value)), [`error ${nameLabelPath}`]);
		});
	}

	for (const value of ["none", "egress", "a", "9", "egress.v1", "none-left", "x".repeat(63)]) {
		it(`serviceentry-waypoint-label accepts "${value}" as a waypoint's name`, () => {
			assert.deepEqual(places(rule, boundTo(value)), []);
		});
	}

	it("serviceentry-waypoint-label refuses odd namespaces, a dotted one too, and accepts one called none", () => {
		for (const namespace of ["", "Team", "a.b"]) {
			assert.deepEqual(places(rule, boundTo(`${namespace}/egress`)), [`error ${namespaceLabelPath}`]);
		}
		assert.deepEqual(places(rule, boundTo("none/egress")), []);
	});

	it("serviceentry-waypoint-label reports both labels at once", () => {
		assert.deepEqual(places(rule, boundTo("/None")), [
			`error ${nameLabelPath}`,
			`error ${namespaceLabelPath}`,
		]);
	});

	it("serviceentry-waypoint-label reads a null label as the API server stores it: empty", () => {
		const labels = { "istio.io/use-waypoint": null };
		assert.deepEqual(places(rule, { ...plainEntry, metadata: { namespace: "team", labels } }), [
			`error ${nameLabelPath}`,
		]);
	});

	it("serviceentry-waypoint-label tells who wrote None how to write the opt-out", () => {
		assert.match(judge(rule, boundTo("NONE"))[0]?.hint ?? "", /^Write none, in lower case/);
		assert.match(judge(rule, boundTo(""))[0]?.hint ?? "", /remove the label$/);
	});

	it("serviceentry-waypoint-label quotes what could forge a line", () => {
		assert.doesNotMatch(judge(rule, boundTo("a\nb\u202Ec"))[0]?.message ?? "", /[\n\u202E]/);
	});
});
