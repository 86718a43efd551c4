import { quote } from "../../core/finding.ts";
import type { DestinationRule } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import {
	isRoutedTo,
	leadingRouteReads,
	leavingPortReads,
	leavingPorts,
	mayHaveTlsSettings,
} from "../../istio/capture/tls-origination.ts";
import type { EntryPort } from "../../istio/entry/entry.ts";
import { isProtocolOf } from "../../istio/entry/ports.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

const wholeHost: DestinationRule = {
	apiVersion: "networking.istio.io/v1",
	kind: "DestinationRule",
	metadata: { name: "payments", namespace: "team" },
	spec: { host: "api.payments.example.com", trafficPolicy: { tls: { mode: "SIMPLE" } } },
};

/** A port that carries TLS should not be wrapped in TLS again. */
export const serviceentryTlsWrap: Rule<"ServiceEntry"> = {
	id: "serviceentry-tls-wrap",
	kind: "ServiceEntry",
	family: "hygiene",
	severity: "warning",
	reads: [...leavingPortReads, ...leadingRouteReads],
	confirms: ["Namespace", "Service"],
	fixable: false,
	docs: {
		summary: "A port that carries TLS should not be wrapped in TLS again",
		why: "A DestinationRule with tls settings for the whole host makes the waypoint originate TLS on every port, those on which the client already speaks TLS too. The server then finds TLS inside TLS, and every connection fails. Where a route takes requests from an HTTP port to that port, the waypoint's TLS is the only one, and nothing is said.",
		fix: "Put the tls settings of the DestinationRule under portLevelSettings of the HTTP port.",
		sources: ["istio/istio pilot/pkg/networking/core/cluster_waypoint.go: buildWaypointInboundVIPCluster"],
		since: "0.1.0",
		good: withSpec(boundEntry, { ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }] }),
		bad: boundEntry,
		given: [teamNamespace, egressNamespace, egressWaypoint, wholeHost],
	},
	when: mayHaveTlsSettings,
	*check(entry, context) {
		const carriesTls = ({ protocol }: EntryPort): boolean => isProtocolOf("tls", protocol);
		for (const { index, port, host, tls } of leavingPorts(entry, context, carriesTls)) {
			const isWrapped = tls?.mode === "SIMPLE" || tls?.mode === "MUTUAL";
			if (isWrapped && !isRoutedTo(host, port.number, context.namespace, context.inventory)) {
				yield {
					path: ["spec", "ports", index],
					message: `${tls.source} wraps port ${port.number} of ${quote(host)} in TLS, and clients already speak TLS there, so connections fail`,
					hint: tls.isWholeHost
						? "Put the tls settings of the DestinationRule under portLevelSettings of the HTTP port"
						: `Remove the tls settings for port ${port.number}`,
				};
			}
		}
	},
};
