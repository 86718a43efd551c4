import assert from "node:assert/strict";
import { it } from "node:test";
import { boundEntry } from "../../../src/rules/examples.ts";
import { namespacePolicyEntries as rule } from "../../../src/rules/policy/namespace-policy-entries.ts";
import { judge, places, surroundings, team } from "../../support/team.ts";

const waypoint = "istio-egress/egress";
const warning = ["warning metadata.annotations"];

function tightened(
	annotations: Readonly<Record<string, string>>,
	before: Readonly<Record<string, string>> = { waypoint },
): readonly string[] {
	const old = team(before);
	return places(rule, team(annotations), { given: [old, ...surroundings, boundEntry], old });
}

it("namespace-policy-entries names the entries that a tighter policy leaves behind", () => {
	for (const more of [
		{ "allowed-hosts": "*.example.org" },
		{ "denied-hosts": "api.payments.example.com" },
		{ "allowed-ports": "80/HTTP" },
		{ waypoint: "istio-egress/other" },
	]) {
		assert.deepEqual(tightened({ waypoint, ...more }), warning, JSON.stringify(more));
	}
	const old = team({ waypoint });
	const [finding] = judge(rule, team({ waypoint, "allowed-ports": "80" }), {
		given: [old, ...surroundings, boundEntry],
		old,
	});
	assert.match(finding?.message ?? "", /1 ServiceEntry \(team\/payments\)/);
});

it("namespace-policy-entries is silent where nothing is left behind, or was before", () => {
	assert.deepEqual(tightened({ waypoint, "allowed-hosts": "*.example.com" }), []);
	assert.deepEqual(tightened({ waypoint, "allowed-ports": "80" }, { waypoint, "allowed-ports": "81" }), []);
	assert.deepEqual(places(rule, team({ "allowed-ports": "80" }), { given: [boundEntry] }), []);
});
