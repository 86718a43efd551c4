import assert from "node:assert/strict";
import { it } from "node:test";
import { isEgressService } from "../../../src/istio/egress/services.ts";
import { exampleService, withLabels } from "../../../src/rules/examples.ts";
import { world } from "../../support/rule-example.ts";

const orders = exampleService("orders", "team", "10.96.0.30");

function isEgress(labels: Readonly<Record<string, string>>): boolean {
	return isEgressService("orders", "team", world([withLabels(orders, labels)]));
}

it("isEgressService() takes no label's value of a Service for evidence", () => {
	for (const labels of [
		{ "istio.io/use-waypoint": "egress-gateway", "istio.io/use-waypoint-namespace": "istio-egress" },
		{ team: "egress-gateway" },
		{ "app.kubernetes.io/part-of": "egress-gw" },
	]) {
		assert.equal(isEgress(labels), false, JSON.stringify(labels));
	}
});

it("isEgressService() knows the pairs that Istio's charts write, and what the pods are called", () => {
	assert.equal(isEgress({ istio: "egressgateway" }), true);
	assert.equal(isEgress({ app: "istio-egressgateway" }), true);
	const named = { ...orders, spec: { ...orders.spec, selector: { app: "egress-gateway" } } };
	assert.equal(isEgressService("orders", "team", world([named])), true);
});
