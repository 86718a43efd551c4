import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { kubernetesgatewayWaypointSelector as rule } from "../../../src/rules/binding/kubernetesgateway-waypoint-selector.ts";
import { listeners, places, waypoint } from "../../support/team.ts";

const broken = { matchExpressions: [{ key: "team", operator: "In", values: [] }] };
const at = ["error spec.listeners[0].allowedRoutes.namespaces.selector"];

function gateway(selector: object, parts: Parameters<typeof waypoint>[1] = {}) {
	const spec = { ...listeners({ from: "Selector", selector }), ...parts.spec };
	return waypoint("istio-egress/egress", { ...parts, spec });
}

describe("kubernetesgateway-waypoint-selector", () => {
	for (const [what, selector] of [
		["an In without values", broken],
		["a null list of values", { matchExpressions: [{ key: "a", operator: "NotIn", values: null }] }],
		["an unknown operator", { matchExpressions: [{ key: "a", operator: "Gt", values: ["1"] }] }],
		["an Exists with values", { matchExpressions: [{ key: "a", operator: "Exists", values: ["x"] }] }],
		["a malformed key", { matchLabels: { "a/b/c": "x" } }],
		["a malformed value", { matchLabels: { a: "not a value" } }],
	] as const) {
		it(`kubernetesgateway-waypoint-selector refuses ${what}`, () => {
			assert.deepEqual(places(rule, gateway(selector)), at);
		});
	}

	it("kubernetesgateway-waypoint-selector refuses it of any class, since istiod binds to any Gateway with an address", () => {
		assert.deepEqual(places(rule, gateway(broken, { spec: { gatewayClassName: "istio" } })), at);
		assert.deepEqual(places(rule, gateway(broken, { spec: { gatewayClassName: "acme" } })), at);
	});

	it("kubernetesgateway-waypoint-selector points at the listener that istiod reads", () => {
		const namespaces = { from: "Selector", selector: broken };
		const http = { name: "http", port: 80, protocol: "HTTP", allowedRoutes: { namespaces } };
		const mesh = { name: "mesh", port: 15008, protocol: "HBONE", allowedRoutes: { namespaces } };
		const both = waypoint("istio-egress/egress", { spec: { listeners: [http, mesh] } });
		assert.deepEqual(places(rule, both), ["error spec.listeners[1].allowedRoutes.namespaces.selector"]);
		const annotations = { "ambient.istio.io/waypoint-inbound-binding": "NONE/80" };
		const sandwiched = waypoint("istio-egress/egress", { annotations, spec: { listeners: [http] } });
		assert.deepEqual(places(rule, sandwiched), at);
	});

	it("kubernetesgateway-waypoint-selector leaves listeners of an ingress gateway alone", () => {
		const namespaces = { from: "Selector", selector: broken };
		const http = { name: "http", port: 80, protocol: "HTTP", allowedRoutes: { namespaces } };
		const ingress = waypoint("ingress/public", { spec: { gatewayClassName: "istio", listeners: [http] } });
		assert.deepEqual(places(rule, ingress), []);
	});

	it("kubernetesgateway-waypoint-selector accepts good selectors, none, and a broken one that from: All never asks", () => {
		assert.deepEqual(places(rule, gateway({ matchLabels: { "kubernetes.io/metadata.name": "team" } })), []);
		assert.deepEqual(places(rule, gateway({})), []);
		const all = listeners({ from: "All", selector: broken });
		assert.deepEqual(places(rule, waypoint("istio-egress/egress", { spec: all })), []);
		assert.deepEqual(places(rule, waypoint("istio-egress/egress", { spec: { listeners: null } })), []);
	});
});
