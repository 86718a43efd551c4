import type { Rule } from "../../core/rule.ts";
import { hasUnusualHost } from "../../istio/entry/facts.ts";
import { complaintsOfDnsHosts } from "./entry-hosts.ts";

/** Without endpoints, resolution DNS has hosts that DNS can look up. */
export const serviceentryDnsHost: Rule<"ServiceEntry"> = {
	id: "serviceentry-dns-host",
	kind: "ServiceEntry",
	family: "validity",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Without endpoints, resolution DNS has hosts that DNS can look up",
		why: "istiod refuses the object: nobody can ask DNS for a wildcard.",
		fix: "For a wildcard use resolution DYNAMIC_DNS, which looks up the host that each request names, and bind the ServiceEntry to a waypoint.",
		sources: ["istio/istio pkg/config/validation/validation.go: ValidateServiceEntry"],
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
				hosts: ["*.example.com"],
				ports: [{ number: 443, name: "https", protocol: "TLS" }],
				location: "MESH_EXTERNAL",
				resolution: "DNS",
			},
		},
	},
	when: hasUnusualHost,
	check(entry) {
		return complaintsOfDnsHosts(entry);
	},
};
