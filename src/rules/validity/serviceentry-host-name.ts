import type { Rule } from "../../core/rule.ts";
import { hasUnusualHost } from "../../istio/entry/facts.ts";
import { complaintsOfHostNames } from "./entry-hosts.ts";

/** Every host is a DNS name, or a wildcard for the first label of one. */
export const serviceentryHostName: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-name",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Every host is a DNS name, or a wildcard for the first label of one",
		why: "istiod refuses the object. A host that is no DNS name could never be looked up, so nothing would ever reach it.",
		fix: "Write a DNS name such as api.example.com, or *.example.com. An IP address belongs in addresses.",
		sources: [
			"istio/istio pkg/config/validation/validation.go: ValidateServiceEntry",
			"istio/istio pkg/config/validation/agent/validation.go: ValidateWildcardDomain",
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
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop" },
			spec: {
				hosts: ["api_v2.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: hasUnusualHost,
	check(entry) {
		return complaintsOfHostNames(entry);
	},
};
