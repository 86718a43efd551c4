import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualHost } from "../../istio/entry/facts.ts";
import { findFqdnFault, isWildcard } from "../../istio/entry/hosts.ts";
import { resolvesByDns } from "./endpoints.ts";
import type { ValidationProblem } from "./validation-problem.ts";

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
		return validateDnsHosts(entry);
	},
};

/** Hosts that cannot be resolved by DNS although nothing else gives an address (resolution DNS without endpoints). */
function* validateDnsHosts(entry: ServiceEntry): Iterable<ValidationProblem> {
	const { hosts, resolution, endpoints } = specOf(entry);
	if (!resolvesByDns(resolution) || endpoints.length > 0) {
		return;
	}
	for (const [index, host] of hosts.entries()) {
		const fault = findFqdnFault(host);
		if (fault !== undefined) {
			const wildcard = isWildcard(host);
			yield {
				path: ["spec", "hosts", index],
				istiodMessage: `hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode ${resolution}, ${fault.istiodMessage}`,
				message: wildcard
					? `Nobody can look up the wildcard ${quote(host)} in DNS, so resolution ${resolution} needs endpoints for it`
					: `Resolution ${resolution} cannot look up host ${quote(host)}: it ${fault.reason}`,
				hint: wildcard
					? "Use resolution DYNAMIC_DNS, which looks up the host that each request names"
					: "Write a full DNS name such as api.example.com",
			};
			// istiod stops at the first.
			return;
		}
	}
}
