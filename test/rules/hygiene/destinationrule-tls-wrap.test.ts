import { boundEntry, plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { destinationruleTlsWrap } from "../../../src/rules/hygiene/destinationrule-tls-wrap.ts";
import { testRule } from "../../support/test-rule.ts";

const { bad } = destinationruleTlsWrap.docs;

const route = {
	apiVersion: "networking.istio.io/v1",
	kind: "VirtualService",
	metadata: { name: "payments", namespace: "team" },
	spec: {
		hosts: ["api.payments.example.com"],
		http: [{ route: [{ destination: { host: "api.payments.example.com", port: { number: 443 } } }] }],
	},
};

testRule(destinationruleTlsWrap, {
	"is silent about entries without a waypoint and ports without TLS": [
		{ object: bad, given: [plainEntry], finds: [] },
		{
			object: bad,
			given: [withSpec(boundEntry, { ports: [{ number: 80, name: "http", protocol: "HTTP" }] })],
			finds: [],
		},
	],
	"points at the port's own settings where they do it": {
		object: {
			...bad,
			spec: {
				...bad.spec,
				trafficPolicy: { portLevelSettings: [{ port: { number: 443 }, tls: { mode: "MUTUAL" } }] },
			},
		},
		given: [boundEntry],
		finds: ["warning spec.trafficPolicy.portLevelSettings"],
	},
	"is silent where a route leads requests to the port with TLS": {
		object: bad,
		given: [boundEntry, route],
		finds: [],
	},
	"is silent about a rule with a workloadSelector, which a waypoint passes over": {
		object: { ...bad, spec: { ...bad.spec, workloadSelector: { matchLabels: { app: "web" } } } },
		given: [boundEntry],
		finds: [],
	},
});
