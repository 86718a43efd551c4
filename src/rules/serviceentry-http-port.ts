import { mention } from "../core/finding.ts";
import type { Rule } from "../core/rule.ts";
import { entryBinding, formatWaypoint } from "../istio/entry-binding.ts";
import { specOf } from "../istio/entry-spec.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../istio/examples.ts";
import { isProtocolOf } from "../istio/ports.ts";
import { originationAt, originationReads } from "../istio/tls-origination.ts";

/** A port 443 at a waypoint should not be declared as HTTP without TLS origination. */
export const serviceentryHttpPort: Rule<"ServiceEntry"> = {
	id: "serviceentry-http-port",
	kind: "ServiceEntry",
	family: "hygiene",
	severity: "warning",
	reads: ["Namespace", ...originationReads],
	fixable: false,
	docs: {
		summary: "A port 443 at a waypoint should not be declared as HTTP without TLS origination",
		why: "Clients speak TLS on port 443. A waypoint that was told HTTP cannot read it and answers with an error; a client that does speak plain HTTP there sends it to the internet unencrypted.",
		fix: "Declare port 443 as TLS, and it passes encrypted from the client on; or declare port 80 as HTTP with targetPort 443 and let a DestinationRule originate TLS, so that HTTP policies apply.",
		sources: ["istio.io docs: ambient/usage/egress-gateway"],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { ports: [{ number: 443, name: "https", protocol: "HTTP" }] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	*check(entry, context) {
		const { target } = entryBinding(entry, context);
		const { hosts, ports } = specOf(entry);
		const host = hosts[0];
		if (target === undefined || host === undefined) {
			return;
		}
		const place = {
			waypointNamespace: target.namespace,
			entryNamespace: context.namespace,
			entryName: context.name ?? "",
		};
		for (const [index, port] of ports.entries()) {
			const isSame = port.targetPort === 0 || port.targetPort === 443;
			if (port.number !== 443 || !isSame || !isProtocolOf("http", port.protocol)) {
				continue;
			}
			const tls = originationAt(host, port, place, context.inventory);
			if (tls === undefined || tls.mode === "DISABLE" || tls.mode === "ISTIO_MUTUAL") {
				yield {
					path: ["spec", "ports", index, "protocol"],
					message: `Clients speak TLS on port 443, which the waypoint ${formatWaypoint(target)} cannot read as ${mention(port.protocol)}; what is plain would leave unencrypted`,
					hint: "Write protocol: TLS, or port 80 with targetPort: 443 and a DestinationRule with tls mode SIMPLE",
				};
			}
		}
	},
};
