import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointLabel as rule } from "../../../src/rules/binding/serviceentry-waypoint-label.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, inTeam, judge, nameLabelPath, namespaceLabelPath, places } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	...Object.fromEntries(
		["", "None", "NONE", "Egress", "-egress", "egress-", "a_b", "a b", "x".repeat(64)].map((value) => [
			`refuses "${value}" as a waypoint's name`,
			{ object: boundTo(value), ...inTeam(), finds: [`error ${nameLabelPath}`] },
		]),
	),
	...Object.fromEntries(
		["none", "egress", "a", "9", "egress.v1", "none-left", "x".repeat(63)].map((value) => [
			`accepts "${value}" as a waypoint's name`,
			{ object: boundTo(value), ...inTeam(), finds: [] },
		]),
	),
	"reports both labels at once": {
		object: boundTo("/None"),
		...inTeam(),
		finds: [`error ${nameLabelPath}`, `error ${namespaceLabelPath}`],
	},
	"reads a null label as the API server stores it: empty": {
		object: { ...plainEntry, metadata: { namespace: "team", labels: { "istio.io/use-waypoint": null } } },
		...inTeam(),
		finds: [`error ${nameLabelPath}`],
	},
});

describe("serviceentry-waypoint-label", () => {
	it("serviceentry-waypoint-label refuses odd namespaces, a dotted one too, and accepts one called none", () => {
		for (const namespace of ["", "Team", "a.b"]) {
			assert.deepEqual(places(rule, boundTo(`${namespace}/egress`)), [`error ${namespaceLabelPath}`]);
		}
		assert.deepEqual(places(rule, boundTo("none/egress")), []);
	});

	it("serviceentry-waypoint-label tells who wrote None how to write the opt-out", () => {
		assert.match(judge(rule, boundTo("NONE"))[0]?.hint ?? "", /^Write none, in lower case/);
		assert.match(judge(rule, boundTo(""))[0]?.hint ?? "", /remove the label$/);
	});

	it("serviceentry-waypoint-label quotes what could forge a line", () => {
		assert.doesNotMatch(judge(rule, boundTo("a\nb\u202Ec"))[0]?.message ?? "", /[\n\u202E]/);
	});
});
