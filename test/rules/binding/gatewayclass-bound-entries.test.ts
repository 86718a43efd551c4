import assert from "node:assert/strict";
import { it } from "node:test";
import { createEngine } from "../../../src/core/engine.ts";
import { evaluate } from "../../../src/core/evaluate.ts";
import type { AnyObject } from "../../../src/core/kinds.ts";
import type { Rule } from "../../../src/core/rule.ts";
import { gatewayclassBoundEntries as rule } from "../../../src/rules/binding/gatewayclass-bound-entries.ts";
import { boundEntry, egressNamespace, egressWaypoint, withLabels } from "../../../src/rules/examples.ts";
import { subjectOf, world } from "../../support/rule-example.ts";
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

it("gatewayclass-bound-entries says what the deletion of a class leaves behind, and refuses nothing", () => {
	const bindingClass = {
		...old,
		metadata: {
			...old.metadata,
			annotations: { "ambient.istio.io/waypoint-inbound-binding": "PROXY/15088" },
		},
	};
	const proxied: AnyObject = {
		...egressWaypoint,
		spec: {
			gatewayClassName: "istio-waypoint",
			listeners: [
				{ name: "own", port: 15008, protocol: "HBONE" },
				{
					name: "proxy",
					port: 15088,
					protocol: "istio.io/PROXY",
					allowedRoutes: { namespaces: { from: "All" } },
				},
			],
		},
	} as AnyObject;
	const state = world([team(), egressNamespace, proxied, bindingClass, boundEntry]);
	const verdict = evaluate(createEngine([rule as unknown as Rule]), state, {
		...subjectOf(bindingClass),
		isDeletion: true,
	});
	assert.equal(verdict.decision, "allow");
	assert.match(
		verdict.warnings[0]?.message ?? "",
		/^Takes the waypoint from 1 ServiceEntry \(team\/payments\)/,
	);
});
