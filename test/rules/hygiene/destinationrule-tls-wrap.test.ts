import assert from "node:assert/strict";
import { it } from "node:test";
import { boundEntry, plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { destinationruleTlsWrap } from "../../../src/rules/hygiene/destinationrule-tls-wrap.ts";
import { spots } from "../../support/spots.ts";

const { bad } = destinationruleTlsWrap.docs;

it("destinationrule-tls-wrap is silent about entries without a waypoint and ports without TLS", () => {
	assert.deepEqual(spots(destinationruleTlsWrap, bad, [plainEntry]), []);
	const http = withSpec(boundEntry, { ports: [{ number: 80, name: "http", protocol: "HTTP" }] });
	assert.deepEqual(spots(destinationruleTlsWrap, bad, [http]), []);
});

it("destinationrule-tls-wrap points at the port's own settings where they do it", () => {
	const level = {
		...bad,
		spec: {
			...bad.spec,
			trafficPolicy: { portLevelSettings: [{ port: { number: 443 }, tls: { mode: "MUTUAL" } }] },
		},
	};
	assert.deepEqual(spots(destinationruleTlsWrap, level, [boundEntry]), [
		"warning spec.trafficPolicy.portLevelSettings",
	]);
});

it("destinationrule-tls-wrap is silent where a route leads requests to the port with TLS", () => {
	const route = {
		apiVersion: "networking.istio.io/v1",
		kind: "VirtualService",
		metadata: { name: "payments", namespace: "team" },
		spec: {
			hosts: ["api.payments.example.com"],
			http: [{ route: [{ destination: { host: "api.payments.example.com", port: { number: 443 } } }] }],
		},
	};
	assert.deepEqual(spots(destinationruleTlsWrap, bad, [boundEntry, route]), []);
});
