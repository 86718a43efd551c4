import { parseProtocol } from "../../core/port-range.ts";
import type { Rule } from "../../core/rule.ts";
import { wantedWaypoint, wantedWaypointReads } from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import { bindingConfirms } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** No port of an entry that shall take a waypoint may be UDP. */
export const serviceentryPortUdp: Rule<"ServiceEntry"> = {
	id: "serviceentry-port-udp",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: wantedWaypointReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "No port of an entry that shall take a waypoint may be UDP",
		why: "ztunnel leaves UDP alone, so it goes straight to the internet, and a waypoint has no listener for it: the declaration looks governed and is not.",
		fix: "Leave the port out, and let a NetworkPolicy or the firewall decide about UDP.",
		sources: [
			"istio/istio pilot/pkg/networking/core/listener_waypoint.go",
			"istio.io docs: ambient/architecture/traffic-redirection",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { ports: [{ number: 53, name: "dns", protocol: "UDP" }] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnusualPort,
	*check(entry, context) {
		const waypoint = wantedWaypoint(entry, context);
		for (const [index, { protocol, number }] of specOf(entry).ports.entries()) {
			if (waypoint !== undefined && parseProtocol(protocol) === "UDP") {
				yield {
					path: ["spec", "ports", index, "protocol"],
					message: `UDP on port ${number} goes straight to the internet: neither ztunnel nor the waypoint ${waypoint} takes UDP`,
					hint: "Leave the port out, and govern UDP by a NetworkPolicy",
				};
			}
		}
	},
	cel: {
		problems: [
			{
				each: ["p", "(e.target == '' ? [] : e.ports)"],
				when: "p.?protocol.orValue('').lowerAscii() == 'udp'",
				path: "spec.ports",
				message:
					"UDP on port {string(p.?number.orValue(0))} goes straight to the internet: neither ztunnel nor the waypoint takes UDP",
				hint: "Leave the port out, and govern UDP by a NetworkPolicy",
			},
		],
	},
};
