import { gatewayclassBoundEntries as rule } from "../../../src/rules/binding/gatewayclass-bound-entries.ts";
import { boundEntry, egressNamespace, egressWaypoint, withLabels } from "../../../src/rules/examples.ts";
import { inTeam, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const given = [team(), egressNamespace, egressWaypoint, boundEntry];

const old = rule.docs.good;

testRule(rule, {
	"refuses a class whose waypoints would serve no services": [
		{ object: rule.docs.bad, ...inTeam({ given, old }), finds: ["error metadata"] },
		{ object: rule.docs.bad, ...inTeam({ given: given.slice(0, 3), old }), finds: [] },
	],
	"leaves waypoints alone that say it themselves": {
		object: rule.docs.bad,
		...inTeam({
			given: [team(), withLabels(egressWaypoint, { "istio.io/waypoint-for": "service" }), boundEntry],
			old,
		}),
		finds: [],
	},
});
