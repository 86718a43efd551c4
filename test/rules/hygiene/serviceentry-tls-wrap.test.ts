import assert from "node:assert/strict";
import { it } from "node:test";
import type { AnyObject, DestinationRule } from "../../../src/core/kinds.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../../../src/rules/examples.ts";
import { serviceentryTlsWrap } from "../../../src/rules/hygiene/serviceentry-tls-wrap.ts";
import { spots } from "../../support/spots.ts";

const world = [teamNamespace, egressNamespace, egressWaypoint];
const level: DestinationRule = {
	apiVersion: "networking.istio.io/v1",
	kind: "DestinationRule",
	metadata: { name: "payments", namespace: "team" },
	spec: {
		host: "api.payments.example.com",
		trafficPolicy: { tls: { mode: "SIMPLE" }, portLevelSettings: [{ port: { number: 443 } }] },
	},
};

it("serviceentry-tls-wrap is silent where the settings of the port replace those of the host", () => {
	assert.deepEqual(spots(serviceentryTlsWrap, boundEntry, [...world, level]), []);
});

it("serviceentry-tls-wrap is silent where a route leads requests from the HTTP port to the port with TLS", () => {
	const { bad, given = [] } = serviceentryTlsWrap.docs;
	const destination = { host: "API.payments.example.com", port: { number: 443 } };
	const virtualService = (port: number): AnyObject =>
		({
			apiVersion: "networking.istio.io/v1",
			kind: "VirtualService",
			metadata: { name: "payments", namespace: "team" },
			spec: {
				hosts: ["api.payments.example.com"],
				http: [{ route: [{ destination: { ...destination, port: { number: port } } }] }],
			},
		}) as AnyObject;
	const httpRoute: AnyObject = {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "HTTPRoute",
		metadata: { name: "payments", namespace: "team" },
		spec: {
			parentRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "payments", port: 80 }],
			rules: [{ backendRefs: [{ kind: "Hostname", name: "api.payments.example.com", port: 443 }] }],
		},
	} as AnyObject;
	assert.deepEqual(spots(serviceentryTlsWrap, bad, [...given, virtualService(443)]), []);
	assert.deepEqual(spots(serviceentryTlsWrap, bad, [...given, httpRoute]), []);
	assert.deepEqual(spots(serviceentryTlsWrap, bad, [...given, virtualService(80)]), [
		"warning spec.ports[0]",
	]);
	const elsewhere = { ...httpRoute, metadata: { name: "payments", namespace: "other" } };
	assert.deepEqual(spots(serviceentryTlsWrap, bad, [...given, elsewhere]), ["warning spec.ports[0]"]);
});
