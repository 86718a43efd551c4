import { mention } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { leavingPortReads, leavingPorts } from "../../istio/capture/tls-origination.ts";
import type { EntryPort } from "../../istio/entry/entry.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import { isProtocolOf } from "../../istio/entry/ports.ts";
import { formatWaypoint } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

function isHttpOn443({ number, targetPort, protocol }: EntryPort): boolean {
	return number === 443 && (targetPort === 0 || targetPort === 443) && isProtocolOf("http", protocol);
}

/** A port 443 at a waypoint should not be declared as HTTP without TLS origination. */
export const serviceentryHttpPort: Rule<"ServiceEntry"> = {
	id: "serviceentry-http-port",
	kind: "ServiceEntry",
	family: "hygiene",
	severity: "warning",
	reads: leavingPortReads,
	confirms: ["Namespace", "Service"],
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
	when: hasUnusualPort,
	*check(entry, context) {
		for (const { index, port, waypoint, isPlain } of leavingPorts(entry, context, isHttpOn443)) {
			if (isPlain) {
				yield {
					path: ["spec", "ports", index, "protocol"],
					message: `Clients speak TLS on port 443, which the waypoint ${formatWaypoint(waypoint)} cannot read as ${mention(port.protocol)}; what is plain would leave unencrypted`,
					hint: "Write protocol: TLS, or port 80 with targetPort: 443 and a DestinationRule with tls mode SIMPLE",
				};
			}
		}
	},
};
