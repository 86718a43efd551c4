import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import { useWaypointLabel } from "../../core/policy.ts";
import { parseProtocol } from "../../core/port-range.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { resolvesUnusually } from "../../istio/entry/facts.ts";
import { isWildcard } from "../../istio/entry/hosts.ts";
import type { ValidationProblem } from "./validation-problem.ts";

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
		return validateDynamicDns(entry, inventory.mesh.istioMinor);
	},
};

/** The protocols that resolution DYNAMIC_DNS takes in a minor version of Istio; undefined where it does not exist. */
function dynamicProtocols(istioMinor: number): readonly string[] | undefined {
	if (istioMinor < 28) {
		return undefined;
	}
	return istioMinor === 28
		? ["HTTP"]
		: istioMinor === 29
			? ["HTTP", "TLS"]
			: ["HTTP", "TLS", "GRPC", "HTTP2"];
}

/** What istiod of a minor version asks of resolution DYNAMIC_DNS (ValidateServiceEntry at the tags 1.28 to 1.31). */
function* validateDynamicDns(entry: ServiceEntry, istioMinor: number): Iterable<ValidationProblem> {
	const { resolution, hosts, addresses, endpoints, ports, location } = specOf(entry);
	if (resolution !== "DYNAMIC_DNS") {
		return;
	}
	const accepted = dynamicProtocols(istioMinor);
	if (accepted === undefined) {
		yield {
			path: ["spec", "resolution"],
			message: `Istio 1.${istioMinor} does not know resolution DYNAMIC_DNS, which came with 1.28`,
			hint: "Name each host in a ServiceEntry with resolution: DNS",
		};
		return;
	}
	for (const [index, host] of hosts.entries()) {
		if (!isWildcard(host)) {
			yield {
				path: ["spec", "hosts", index],
				istiodMessage: "host must be wildcarded for resolution mode DYNAMIC_DNS",
				message: `Resolution DYNAMIC_DNS is for wildcards, and ${quote(host)} is one host`,
				hint: "Write a ServiceEntry of its own with resolution: DNS for this host",
			};
		}
	}
	if (addresses.length > 0) {
		yield {
			path: ["spec", "addresses"],
			istiodMessage:
				"addresses cannot be set for resolution type DYNAMIC_DNS. HTTP route domains will only be generatedfrom the hosts field values",
			message: "Resolution DYNAMIC_DNS goes by the host that a request names, so it takes no addresses",
			hint: "Remove addresses: Istio allocates them",
		};
	}
	if (endpoints.length > 0) {
		yield {
			path: ["spec", "endpoints"],
			istiodMessage:
				"endpoints cannot be set for resolution type DYNAMIC_DNS. Destination IP address determined from hostsfield values",
			message: "Resolution DYNAMIC_DNS looks up the host that a request names, so it takes no endpoints",
			hint: "Remove endpoints, or write resolution: DNS",
		};
	}
	for (const [index, { protocol }] of ports.entries()) {
		if (!accepted.includes(parseProtocol(protocol) ?? "")) {
			yield {
				path: ["spec", "ports", index, "protocol"],
				istiodMessage:
					"only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution type DYNAMIC_DNS",
				message: `Resolution DYNAMIC_DNS takes ${accepted.join(", ")}, and this port has ${protocol === "" ? "no protocol" : quote(protocol)}`,
				hint: "Write protocol: HTTP, with a targetPort of 443 and a DestinationRule where the server wants TLS",
			};
		}
	}
	const label = entry.metadata?.labels?.[useWaypointLabel] ?? "";
	if (location === "MESH_INTERNAL" && istioMinor < 30) {
		yield {
			path: ["spec", "location"],
			message: `Istio 1.${istioMinor} takes resolution DYNAMIC_DNS for external hosts only, and this one says MESH_INTERNAL`,
			hint: "Write location: MESH_EXTERNAL",
		};
	} else if (location === "MESH_INTERNAL" && label !== "" && label.toLowerCase() !== "none") {
		yield {
			path: ["spec", "location"],
			istiodMessage:
				"location MESH_INTERNAL with resolution type DYNAMIC_DNS is not supported when using waypoints",
			message:
				"A waypoint takes resolution DYNAMIC_DNS for external hosts only, and this one says MESH_INTERNAL",
			hint: "Write location: MESH_EXTERNAL",
		};
	}
}
