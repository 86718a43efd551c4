import type { Rule } from "../../core/rule.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import { complaintsOfEndpointAddresses } from "./entry-endpoints.ts";

/** Every endpoint has an address that the resolution can use. */
export const serviceentryEndpointAddress: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-address",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Every endpoint has an address that the resolution can use",
		why: "istiod or the API server refuses the object: STATIC takes IP addresses, DNS takes names and IP addresses.",
		fix: "Write resolution: DNS for a name, without scheme, port or path.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: validateWorkloadEntry",
			"istio/istio pkg/config/validation/validation.go: ValidateUnixAddress",
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
				endpoints: [{ address: "eu.api.example.com" }],
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
				resolution: "STATIC",
				endpoints: [{ address: "eu.api.example.com" }],
			},
		},
	},
	when: hasEndpoints,
	check(entry) {
		return complaintsOfEndpointAddresses(entry);
	},
};
