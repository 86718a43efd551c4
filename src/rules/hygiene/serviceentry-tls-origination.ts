import { mention, quote } from "../../core/finding.ts";
import type { DestinationRule } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { leavingPortReads, leavingPorts } from "../../istio/capture/tls-origination.ts";
import type { EntryPort } from "../../istio/entry/entry.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import { isProtocolOf } from "../../istio/entry/ports.ts";
import { formatWaypoint } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

const originating: DestinationRule = {
	apiVersion: "networking.istio.io/v1",
	kind: "DestinationRule",
	metadata: { name: "www", namespace: "team" },
	spec: {
		host: "www.payments.example.com",
		trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, tls: { mode: "SIMPLE" } }] },
	},
};

function leavesFor443({ number, targetPort, protocol }: EntryPort): boolean {
	return targetPort === 443 && number !== 443 && isProtocolOf("http", protocol);
}

/** An HTTP port that leaves a waypoint for port 443 should have TLS originated. */
export const serviceentryTlsOrigination: Rule<"ServiceEntry"> = {
	id: "serviceentry-tls-origination",
	kind: "ServiceEntry",
	family: "hygiene",
	severity: "warning",
	reads: leavingPortReads,
	confirms: ["Namespace", "Service"],
	fixable: false,
	docs: {
		summary: "An HTTP port that leaves a waypoint for port 443 should have TLS originated",
		why: "A waypoint sends HTTP on as it is, whatever the port: without a DestinationRule or a BackendTLSPolicy that originates TLS, plain text goes to a port where the server expects TLS. Mode ISTIO_MUTUAL has no effect at a waypoint.",
		fix: "Write a DestinationRule for the host with portLevelSettings for this port and tls mode SIMPLE, or a BackendTLSPolicy for the ServiceEntry.",
		sources: [
			"istio/istio pilot/pkg/networking/core/cluster_waypoint.go: buildWaypointTLSContext",
			"istio.io docs: ambient/usage/egress-gateway",
		],
		since: "0.1.0",
		good: withSpec(boundEntry, {
			hosts: ["www.payments.example.com"],
			ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
		}),
		bad: withSpec(boundEntry, { ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }] }),
		given: [teamNamespace, egressNamespace, egressWaypoint, originating],
	},
	when: hasUnusualPort,
	*check(entry, context) {
		for (const { index, port, host, waypoint, tls, isPlain } of leavingPorts(entry, context, leavesFor443)) {
			if (isPlain) {
				yield {
					path: ["spec", "ports", index, "targetPort"],
					message:
						tls?.mode === "ISTIO_MUTUAL"
							? `Mode ISTIO_MUTUAL of ${mention(tls.source)} has no effect at a waypoint, so plain HTTP leaves for port 443`
							: `Plain HTTP leaves the waypoint ${formatWaypoint(waypoint)} for port 443: nothing originates TLS for ${quote(host)}`,
					hint: `Write a DestinationRule for the host with portLevelSettings for port ${port.number} and tls mode SIMPLE`,
				};
			}
		}
	},
};
