import type { Rule } from "../../core/rule.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import { complaintsOfEndpointList } from "./entry-endpoints.ts";

/** The resolution leaves room for the endpoints. */
export const serviceentryEndpointList: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-list",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: true,
	docs: {
		summary: "The resolution leaves room for the endpoints",
		why: "The API server or istiod refuses the object. Most often resolution is missing: then it is NONE, which takes no endpoints.",
		fix: "Write resolution: STATIC for IP addresses or DNS for names.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: ValidateServiceEntry",
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
				resolution: "STATIC",
				endpoints: [{ address: "203.0.113.10" }],
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
				endpoints: [],
			},
		},
	},
	when: hasEndpoints,
	check(entry) {
		return complaintsOfEndpointList(entry);
	},
};
