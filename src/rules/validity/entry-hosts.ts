import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { findFqdnFault, findHostFault, isWildcard } from "../../istio/entry/hosts.ts";
import { isProtocolOf } from "../../istio/entry/ports.ts";
import type { Complaint } from "./validation-problem.ts";

/** Names of hosts that istiod refuses (ValidateServiceEntry: invalid host, ValidateWildcardDomain). */
export function* complaintsOfHostNames(entry: ServiceEntry): Iterable<Complaint> {
	for (const [index, host] of specOf(entry).hosts.entries()) {
		const path = ["spec", "hosts", index];
		if (host === "*") {
			yield {
				path,
				message: "The host * would stand for every host there is, and Istio refuses it",
				hint: "Name the hosts, or a suffix of them such as *.example.com with resolution DYNAMIC_DNS",
			};
			continue;
		}
		const fault = findHostFault(host);
		if (fault !== undefined) {
			yield {
				path,
				said: fault.said,
				message: `Host ${quote(host)} ${fault.reason}`,
				hint: "Write a DNS name such as api.example.com, or *.example.com; an IP address belongs in addresses",
			};
		}
	}
}

/** Wildcards within a label, of which istiod warns unless the resolution is DYNAMIC_DNS (ValidatePartialWildCard). */
export function* complaintsOfPartialWildcards(entry: ServiceEntry): Iterable<Complaint> {
	const { hosts, resolution } = specOf(entry);
	if (resolution === "DYNAMIC_DNS") {
		return;
	}
	for (const [index, host] of hosts.entries()) {
		if (host.includes("*") && host !== "*" && !host.startsWith("*.")) {
			yield {
				path: ["spec", "hosts", index],
				said: `partial wildcard ${JSON.stringify(host)} not allowed`,
				severity: "warning",
				message: `Host ${quote(host)} has a wildcard for a part of a label, which Istio does not support`,
				hint: "Write * for whole labels only, such as *.example.com",
			};
		}
	}
}

/** Hosts that cannot be resolved by DNS although nothing else gives an address (resolution DNS without endpoints). */
export function* complaintsOfDnsHosts(entry: ServiceEntry): Iterable<Complaint> {
	const { hosts, resolution, endpoints } = specOf(entry);
	if ((resolution !== "DNS" && resolution !== "DNS_ROUND_ROBIN") || endpoints.length > 0) {
		return;
	}
	for (const [index, host] of hosts.entries()) {
		const fault = findFqdnFault(host);
		if (fault !== undefined) {
			const wildcard = isWildcard(host);
			yield {
				path: ["spec", "hosts", index],
				said: `hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode ${resolution}, ${fault.said}`,
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

/** Several hosts where the protocol does not tell them apart (at the end of ValidateServiceEntry, and of its DNS part). */
export function* complaintsOfSeveralHosts(entry: ServiceEntry): Iterable<Complaint> {
	const { hosts, resolution, ports, addresses } = specOf(entry);
	if (hosts.length < 2) {
		return;
	}
	const index = ports.findIndex(
		({ protocol }) => !isProtocolOf("http", protocol) && !isProtocolOf("tls", protocol),
	);
	if (resolution !== "NONE" && index >= 0) {
		const protocol = ports[index]?.protocol ?? "";
		yield {
			path: ["spec", "ports", index, "protocol"],
			said: "multiple hosts provided with non-HTTP, non-TLS ports",
			message: `With ${protocol === "" ? "no protocol" : `protocol ${quote(protocol)}`} nothing in a connection says which of the ${hosts.length} hosts is meant`,
			hint: "Write one ServiceEntry for each host, or a protocol that names the host: HTTP, HTTP2, GRPC, HTTPS, TLS",
		};
	}
	const isDns = resolution === "DNS" || resolution === "DNS_ROUND_ROBIN";
	if (isDns && addresses.length > 0 && ports.some(({ protocol }) => isProtocolOf("tcp", protocol))) {
		yield {
			path: ["spec", "hosts"],
			said: "service entry can not have more than one host specified simultaneously with address and tcp port",
			severity: "warning",
			message: "Several hosts share the same addresses on a TCP port, so Istio cannot tell them apart",
			hint: "Write one ServiceEntry for each host, or leave out addresses so that each host gets its own",
		};
	}
}
