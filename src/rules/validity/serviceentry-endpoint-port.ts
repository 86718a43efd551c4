import type { Rule } from "../../core/rule.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import { complaintsOfEndpointPorts } from "./entry-endpoints.ts";

/** The ports of an endpoint are named after ports of the ServiceEntry. */
export const serviceentryEndpointPort: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-port",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "The ports of an endpoint are named after ports of the ServiceEntry",
		why: "istiod refuses the object: an endpoint's port says where a port of the ServiceEntry is found, so the names must agree.",
		fix: "Use the name of a port under spec.ports, or leave the endpoint's ports out.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: validateWorkloadEntry",
			"istio.io/api kubernetes/customresourcedefinitions.gen.yaml",
		],
		since: "0.1.0",
		good: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
				endpoints: [{ address: "eu.api.example.com", ports: { https: 8443 } }],
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
				endpoints: [{ address: "eu.api.example.com", ports: { tls: 8443 } }],
			},
		},
	},
	when: hasEndpoints,
	check(entry) {
		return complaintsOfEndpointPorts(entry);
	},
};
