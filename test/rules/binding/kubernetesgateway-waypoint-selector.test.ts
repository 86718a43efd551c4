import { kubernetesgatewayWaypointSelector as rule } from "../../../src/rules/binding/kubernetesgateway-waypoint-selector.ts";
import { inTeam, listeners, waypoint } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const broken = { matchExpressions: [{ key: "team", operator: "In", values: [] }] };
const at = ["error spec.listeners[0].allowedRoutes.namespaces.selector"];

function gateway(selector: object, parts: Parameters<typeof waypoint>[1] = {}) {
	const spec = { ...listeners({ from: "Selector", selector }), ...parts.spec };
	return waypoint("istio-egress/egress", { ...parts, spec });
}

const namespaces = { from: "Selector", selector: broken };
const http = { name: "http", port: 80, protocol: "HTTP", allowedRoutes: { namespaces } };
const mesh = { name: "mesh", port: 15008, protocol: "HBONE", allowedRoutes: { namespaces } };
const annotations = { "ambient.istio.io/waypoint-inbound-binding": "NONE/80" };

testRule(rule, {
	...Object.fromEntries(
		(
			[
				["an In without values", broken],
				["a null list of values", { matchExpressions: [{ key: "a", operator: "NotIn", values: null }] }],
				["an unknown operator", { matchExpressions: [{ key: "a", operator: "Gt", values: ["1"] }] }],
				["an Exists with values", { matchExpressions: [{ key: "a", operator: "Exists", values: ["x"] }] }],
				["a malformed key", { matchLabels: { "a/b/c": "x" } }],
				["a malformed value", { matchLabels: { a: "not a value" } }],
			] as const
		).map(([what, selector]) => [`refuses ${what}`, { object: gateway(selector), ...inTeam(), finds: at }]),
	),
	"refuses it of any class, since istiod binds to any Gateway with an address": [
		{ object: gateway(broken, { spec: { gatewayClassName: "istio" } }), ...inTeam(), finds: at },
		{ object: gateway(broken, { spec: { gatewayClassName: "acme" } }), ...inTeam(), finds: at },
	],
	"points at the listener that istiod reads": [
		{
			object: waypoint("istio-egress/egress", { spec: { listeners: [http, mesh] } }),
			...inTeam(),
			finds: ["error spec.listeners[1].allowedRoutes.namespaces.selector"],
		},
		{
			object: waypoint("istio-egress/egress", { annotations, spec: { listeners: [http] } }),
			...inTeam(),
			finds: at,
		},
	],
	"leaves listeners of an ingress gateway alone": {
		object: waypoint("ingress/public", { spec: { gatewayClassName: "istio", listeners: [http] } }),
		...inTeam(),
		finds: [],
	},
	"accepts good selectors, none, and a broken one that from: All never asks": [
		{ object: gateway({ matchLabels: { "kubernetes.io/metadata.name": "team" } }), ...inTeam(), finds: [] },
		{ object: gateway({}), ...inTeam(), finds: [] },
		{
			object: waypoint("istio-egress/egress", { spec: listeners({ from: "All", selector: broken }) }),
			...inTeam(),
			finds: [],
		},
		{ object: waypoint("istio-egress/egress", { spec: { listeners: null } }), ...inTeam(), finds: [] },
	],
});
