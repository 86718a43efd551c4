import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AnyObject } from "../../../src/core/kinds.ts";
import { serviceentryWaypointClass as rule } from "../../../src/rules/binding/serviceentry-waypoint-class.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, inTeam, nameLabelPath, places, team, waypoint } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

function ofClass(name: string, ...more: readonly AnyObject[]) {
	return { given: [team(), waypoint("istio-egress/egress", { spec: { gatewayClassName: name } }), ...more] };
}

function gatewayClass(name: string, controllerName: string): AnyObject & { readonly spec: object } {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "GatewayClass",
		metadata: { name },
		spec: { controllerName },
	};
}

const bound = boundTo("istio-egress/egress");

testRule(rule, {
	...Object.fromEntries(
		["istio", "istio-remote", "istio-east-west", "istio-agentgateway"].map((name) => [
			`refuses the class ${name}, which is no waypoint's`,
			{ object: bound, ...inTeam(ofClass(name)), finds: [`error ${nameLabelPath}`] },
		]),
	),
	...Object.fromEntries(
		["istio-waypoint", "istio-agentgateway-waypoint"].map((name) => [
			`accepts the class ${name}, which needs no object in the cluster`,
			{ object: bound, ...inTeam(ofClass(name)), finds: [] },
		]),
	),
	"goes by the controller of a class and not by its name": [
		{
			object: bound,
			...inTeam(ofClass("shop-waypoint", gatewayClass("shop-waypoint", "istio.io/mesh-controller"))),
			finds: [],
		},
		{
			object: bound,
			...inTeam(ofClass("istio-waypoint", gatewayClass("istio-waypoint", "nginx.org/gateway"))),
			finds: [`error ${nameLabelPath}`],
		},
	],
	"warns of a class that nobody knows, and says where to name it": [
		{
			object: bound,
			...inTeam(ofClass("acme")),
			finds: [`warning ${nameLabelPath}`],
			says: /the class "acme", of which nobody said that it makes waypoints$/,
			hints: /waypoints\.classes/,
		},
		{
			object: bound,
			...inTeam(ofClass("acme", gatewayClass("acme", "istio.io/gateway-controller"))),
			finds: [`error ${nameLabelPath}`],
		},
	],
	"speaks of the policy's waypoint before the labels are there": {
		object: plainEntry,
		...inTeam(ofClass("istio")),
		finds: ["error metadata.labels"],
	},
	"is silent where the Gateway does not exist": { object: bound, given: [team()], finds: [] },
});

describe("serviceentry-waypoint-class", () => {
	it("serviceentry-waypoint-class accepts the controllers and the classes that the configuration names", () => {
		const foreign = ofClass("acme", gatewayClass("acme", "acme.dev/waypoint"));
		assert.deepEqual(places(rule, bound, foreign), [`warning ${nameLabelPath}`]);
		for (const waypoints of [{ controllers: ["acme.dev/waypoint"] }, { classes: ["acme"] }]) {
			assert.deepEqual(places(rule, bound, { ...foreign, settings: { waypoints } }), []);
		}
		assert.deepEqual(
			places(rule, bound, { ...ofClass("acme"), settings: { waypoints: { classes: ["acme"] } } }),
			[],
		);
	});
});
