import { parseProtocol } from "../../core/port-range.ts";
import type { Rule } from "../../core/rule.ts";
import { wantedWaypoint, wantedWaypointReads } from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { resolvesUnusually } from "../../istio/entry/facts.ts";
import { bindingConfirms } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** The ports of a DYNAMIC_DNS entry at a waypoint must be HTTP. */
export const serviceentryDynamicDnsProtocol: Rule<"ServiceEntry"> = {
	id: "serviceentry-dynamic-dns-protocol",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: wantedWaypointReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "The ports of a DYNAMIC_DNS entry at a waypoint must be HTTP",
		why: "istiod accepts GRPC and HTTP2 for DYNAMIC_DNS, but builds the waypoint's cluster for HTTP only, and for TLS only with the flag ENABLE_WILDCARD_HOST_SERVICE_ENTRIES_FOR_TLS, which is off by default. On other ports the waypoint accepts connections and has nowhere to send them.",
		fix: "Declare the port as HTTP (it carries HTTP/2 and gRPC of clients that can upgrade), or name the hosts one by one with resolution: DNS.",
		sources: ["istio/istio pilot/pkg/networking/core/cluster_waypoint.go: buildWaypointInboundVIP"],
		since: "0.1.0",
		good: withSpec(boundEntry, {
			hosts: ["*.payments.example.com"],
			resolution: "DYNAMIC_DNS",
			ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
		}),
		bad: withSpec(boundEntry, {
			hosts: ["*.payments.example.com"],
			resolution: "DYNAMIC_DNS",
			ports: [{ number: 443, name: "grpc", protocol: "GRPC" }],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: resolvesUnusually,
	*check(entry, context) {
		const waypoint = wantedWaypoint(entry, context);
		if (specOf(entry).resolution !== "DYNAMIC_DNS" || waypoint === undefined) {
			return;
		}
		for (const [index, port] of specOf(entry).ports.entries()) {
			const protocol = parseProtocol(port.protocol);
			const path = ["spec", "ports", index, "protocol"];
			if (protocol === "GRPC" || protocol === "HTTP2") {
				yield {
					path,
					message: `The waypoint ${waypoint} has nowhere to send ${protocol} of a DYNAMIC_DNS entry, so port ${port.number} fails`,
					hint: "Write protocol: HTTP, or name the hosts one by one with resolution: DNS",
				};
			} else if (protocol === "TLS") {
				yield {
					path,
					severity: "warning",
					message: `The waypoint ${waypoint} sends TLS of a DYNAMIC_DNS entry on only where istiod's flag ENABLE_WILDCARD_HOST_SERVICE_ENTRIES_FOR_TLS is on; otherwise port ${port.number} fails`,
					hint: "Write protocol: HTTP with TLS origination, or name the hosts one by one with resolution: DNS",
				};
			}
		}
	},
};
