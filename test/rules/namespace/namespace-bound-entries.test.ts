import assert from "node:assert/strict";
import { it } from "node:test";
import { boundEntry, egressNamespace, egressWaypoint } from "../../../src/rules/examples.ts";
import { namespaceBoundEntries as rule } from "../../../src/rules/namespace/namespace-bound-entries.ts";
import { places, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const pair = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };
const plain = { ...boundEntry, metadata: { name: "payments", namespace: "team" } };

it("namespace-bound-entries refuses a label that takes the waypoint from entries without labels", () => {
	const before = team({ ambient: "enforced" }, pair);
	const given = [before, egressNamespace, egressWaypoint, plain];
	for (const labels of [
		{},
		{ "istio.io/use-waypoint": "none" },
		{ ...pair, "istio.io/use-waypoint": "gone" },
	]) {
		const judged = team({ ambient: "enforced" }, labels);
		assert.deepEqual(places(rule, judged, { given, old: before }), ["error metadata"]);
	}
	assert.deepEqual(places(rule, team({}, { ...pair, a: "b" }), { given, old: before }), []);
});

testRule(rule, {
	"leaves entries alone that carry both labels": {
		object: team({}, {}),
		given: [team({}, pair), egressNamespace, egressWaypoint, boundEntry],
		old: team({}, pair),
		finds: [],
	},
});
