import type { AnyObject } from "../../../src/core/kinds.ts";
import { serviceentryWaypointTraffic as rule } from "../../../src/rules/binding/serviceentry-waypoint-traffic.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, inTeam, nameLabelPath, team, waypoint } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const bound = boundTo("istio-egress/egress");
const error = [`error ${nameLabelPath}`];

function serving(type: string | undefined, classType?: string) {
	const labels = type === undefined ? {} : { labels: { "istio.io/waypoint-for": type } };
	const classes: AnyObject[] = [];
	if (classType !== undefined) {
		classes.push({
			apiVersion: "gateway.networking.k8s.io/v1",
			kind: "GatewayClass",
			metadata: { name: "istio-waypoint", labels: { "istio.io/waypoint-for": classType } },
			spec: { controllerName: "istio.io/mesh-controller" },
		} as AnyObject);
	}
	return { given: [team(), waypoint("istio-egress/egress", labels), ...classes] };
}

const labels = { "istio.io/waypoint-for": "workload" };

testRule(rule, {
	...Object.fromEntries(
		[undefined, "service", "all"].map((type) => [
			`accepts a waypoint for ${type ?? "what the default is"}`,
			{ object: bound, ...inTeam(serving(type)), finds: [] },
		]),
	),
	...Object.fromEntries(
		["workload", "none", "", "Service", "ALL", "services"].map((type) => [
			`refuses a waypoint for "${type}", which istiod reads verbatim`,
			{
				object: bound,
				...inTeam(serving(type)),
				finds: error,
				says: new RegExp(`traffic type "${type}" and not services`),
			},
		]),
	),
	"reads the class's label where the Gateway has none, and only there": [
		{ object: bound, ...inTeam(serving(undefined, "workload")), finds: error },
		{ object: bound, ...inTeam(serving("service", "workload")), finds: [] },
		{ object: bound, ...inTeam(serving("", "service")), finds: error },
	],
	"speaks of the policy's waypoint before the labels are there": {
		object: plainEntry,
		...inTeam(serving("workload")),
		finds: ["error metadata.labels"],
	},
	"leaves what is missing or no waypoint to other rules": [
		{ object: bound, given: [team()], finds: [] },
		{
			object: bound,
			given: [team(), waypoint("istio-egress/egress", { labels, spec: { gatewayClassName: "istio" } })],
			finds: [],
		},
	],
});
