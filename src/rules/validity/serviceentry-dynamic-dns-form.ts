import type { Rule } from "../../core/rule.ts";
import { resolvesUnusually } from "../../istio/entry/facts.ts";
import { complaintsOfDynamicDns } from "./entry-rest.ts";

/** Resolution DYNAMIC_DNS has wildcard hosts, protocols that name a host, and neither addresses nor endpoints. */
export const serviceentryDynamicDnsForm: Rule<"ServiceEntry"> = {
	id: "serviceentry-dynamic-dns-form",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary:
			"Resolution DYNAMIC_DNS has wildcard hosts, protocols that name a host, and neither addresses nor endpoints",
		why: "istiod refuses the object: with DYNAMIC_DNS the waypoint looks up the host that a request names, so there must be one in the request and nothing else to go by.",
		fix: "Use DYNAMIC_DNS for *.example.com with protocol HTTP; use DNS for single hosts.",
		sources: ["istio/istio pkg/config/validation/validation.go: ValidateServiceEntry"],
		since: "0.1.0",
		good: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop", labels: { "istio.io/use-waypoint": "egress" } },
			spec: {
				hosts: ["*.example.com"],
				ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
				location: "MESH_EXTERNAL",
				resolution: "DYNAMIC_DNS",
			},
		},
		bad: {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "payments", namespace: "shop", labels: { "istio.io/use-waypoint": "egress" } },
			spec: {
				hosts: ["*.example.com"],
				ports: [{ number: 5432, name: "postgres", protocol: "TCP" }],
				location: "MESH_EXTERNAL",
				resolution: "DYNAMIC_DNS",
			},
		},
	},
	when: resolvesUnusually,
	check(entry, { inventory }) {
		return complaintsOfDynamicDns(entry, inventory.mesh.istioMinor);
	},
};
