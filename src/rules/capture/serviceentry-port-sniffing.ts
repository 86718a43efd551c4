import type { Rule } from "../../core/rule.ts";
import { wantedWaypoint, wantedWaypointReads } from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import { bindingConfirms } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** A port of an entry that shall take a waypoint should name its protocol. */
export const serviceentryPortSniffing: Rule<"ServiceEntry"> = {
	id: "serviceentry-port-sniffing",
	kind: "ServiceEntry",
	family: "capture",
	severity: "warning",
	reads: wantedWaypointReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "A port of an entry that shall take a waypoint should name its protocol",
		why: "Without a protocol the waypoint waits for the client's first bytes to tell HTTP from anything else. Protocols in which the server speaks first, such as MySQL or SMTP, stall; and a client decides by what it sends whether HTTP policies apply.",
		fix: "Write the protocol: HTTP, HTTP2, GRPC, TLS or TCP.",
		sources: ["istio/istio pilot/pkg/networking/core/listener_waypoint.go"],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { ports: [{ number: 443, name: "tls" }] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnusualPort,
	*check(entry, context) {
		const waypoint = wantedWaypoint(entry, context);
		for (const [index, { protocol, number }] of specOf(entry).ports.entries()) {
			if (waypoint !== undefined && protocol === "") {
				yield {
					path: ["spec", "ports", index, "protocol"],
					message: `Port ${number} names no protocol, so what a client sends decides whether the HTTP policies of ${waypoint} apply`,
					hint: "Write protocol: TLS, HTTP, HTTP2, GRPC or TCP",
				};
			}
		}
	},
};
