import { mention } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { DestinationRule, Namespace, ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { hasSelector, isRoutedTo, leadingRouteReads, tlsOf } from "../../istio/capture/tls-origination.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { isProtocolOf } from "../../istio/entry/ports.ts";
import { requestedWaypoint } from "../../istio/waypoint/waypoint.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";

const wholeHost: DestinationRule = {
	apiVersion: "networking.istio.io/v1",
	kind: "DestinationRule",
	metadata: { name: "payments", namespace: "team" },
	spec: { host: "api.payments.example.com", trafficPolicy: { tls: { mode: "SIMPLE" } } },
};

/** A DestinationRule originates TLS only on ports where clients do not speak it already. */
export const destinationruleTlsWrap: Rule<"DestinationRule"> = {
	id: "destinationrule-tls-wrap",
	kind: "DestinationRule",
	family: "hygiene",
	severity: "warning",
	reads: ["ServiceEntry", "Namespace", ...leadingRouteReads],
	confirms: ["Namespace"],
	fixable: false,
	docs: {
		summary: "A DestinationRule should originate TLS only on ports where clients do not speak it already",
		why: "With tls settings for the whole host, a waypoint wraps every port of the ServiceEntry in TLS, those that carry TLS from the client too. The server then finds TLS inside TLS, and every connection fails.",
		fix: "Put the tls settings under portLevelSettings of the HTTP port.",
		sources: ["istio/istio pilot/pkg/networking/core/cluster_waypoint.go: buildWaypointInboundVIPCluster"],
		since: "0.1.0",
		good: {
			...wholeHost,
			spec: {
				host: "api.payments.example.com",
				trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, tls: { mode: "SIMPLE" } }] },
			},
		},
		bad: wholeHost,
		given: [teamNamespace, egressNamespace, egressWaypoint, boundEntry],
	},
	*check(rule, { inventory }) {
		if (hasSelector(rule)) {
			return;
		}
		const isBound = (entry: ServiceEntry): boolean => {
			const namespace = entry.metadata?.namespace ?? "";
			const labels: Namespace["metadata"] = inventory.get("Namespace", "", namespace)?.metadata;
			return requestedWaypoint(entry.metadata?.labels, namespace, labels?.labels).asked;
		};
		// Many entries may have the host, with hundreds of ports each.
		const tlsAt = remembered((port: number) => tlsOf(rule, port));
		for (const entry of inventory.lookup("serviceEntryByHost", canonicalHost(rule.spec?.host ?? ""))) {
			for (const port of specOf(entry).ports) {
				const tls = tlsAt(port.number);
				if (
					(tls?.mode === "SIMPLE" || tls?.mode === "MUTUAL") &&
					isProtocolOf("tls", port.protocol) &&
					isBound(entry) &&
					!isRoutedTo(rule.spec?.host ?? "", port.number, entry.metadata?.namespace ?? "", inventory)
				) {
					const { namespace, name } = entry.metadata ?? {};
					yield {
						path: ["spec", "trafficPolicy", tls.isWholeHost ? "tls" : "portLevelSettings"],
						message: `Wraps port ${port.number} of ServiceEntry ${mention(`${namespace ?? ""}/${name ?? ""}`)} in TLS, and clients already speak TLS there, so connections fail`,
						hint: "Put the tls settings under portLevelSettings of the HTTP port",
					};
				}
			}
		}
	},
};

function remembered<K, V>(find: (key: K) => V): (key: K) => V {
	const known = new Map<K, V>();
	return (key) => {
		const found = known.has(key) ? (known.get(key) as V) : find(key);
		known.set(key, found);
		return found;
	};
}
