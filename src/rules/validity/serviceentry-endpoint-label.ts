import type { Rule } from "../../core/rule.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import { complaintsOfEndpointLabels } from "./entry-endpoints.ts";

/** The labels of an endpoint are labels as Kubernetes knows them. */
export const serviceentryEndpointLabel: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-label",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "The labels of an endpoint are labels as Kubernetes knows them",
		why: "istiod refuses the object.",
		fix: "Write keys and values of letters, digits, inner hyphens, dots and underscores.",
		sources: ["istio/istio pkg/config/labels/instance.go: Validate"],
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
				endpoints: [{ address: "eu.api.example.com", labels: { region: "eu" } }],
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
				endpoints: [{ address: "eu.api.example.com", labels: { region: "eu west" } }],
			},
		},
	},
	when: hasEndpoints,
	check(entry) {
		return complaintsOfEndpointLabels(entry);
	},
};
