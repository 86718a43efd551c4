import assert from "node:assert/strict";
import { it } from "node:test";
import { gatewayclassBoundEntries as rule } from "../../../src/rules/binding/gatewayclass-bound-entries.ts";
import { boundEntry, egressNamespace, egressWaypoint, withLabels } from "../../../src/rules/examples.ts";
import { places, team } from "../../support/team.ts";

const given = [team(), egressNamespace, egressWaypoint, boundEntry];
const old = rule.docs.good;

it("gatewayclass-bound-entries refuses a class whose waypoints would serve no services", () => {
	assert.deepEqual(places(rule, rule.docs.bad, { given, old }), ["error metadata"]);
	assert.deepEqual(places(rule, rule.docs.bad, { given: given.slice(0, 3), old }), []);
});

it("gatewayclass-bound-entries leaves waypoints alone that say it themselves", () => {
	const own = withLabels(egressWaypoint, { "istio.io/waypoint-for": "service" });
	assert.deepEqual(places(rule, rule.docs.bad, { given: [team(), own, boundEntry], old }), []);
});
