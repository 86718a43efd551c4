import type { Rule } from "../../core/rule.ts";
import { wantedWaypoint, wantedWaypointReads } from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualPort } from "../../istio/entry/facts.ts";
import { bindingConfirms } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** An entry that shall take a waypoint must declare its ports. */
export const serviceentryPortList: Rule<"ServiceEntry"> = {
	id: "serviceentry-port-list",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: wantedWaypointReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "An entry that shall take a waypoint must declare its ports",
		why: "A waypoint listens only on the ports that an entry declares and closes every other connection. istiod accepts an entry without ports, and then nothing can be reached through it.",
		fix: "Declare every port that clients use, with its protocol.",
		sources: ["istio/istio pilot/pkg/networking/core/listener_waypoint.go: buildWaypointInternal"],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { ports: [] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnusualPort,
	*check(entry, context) {
		const waypoint = wantedWaypoint(entry, context);
		if (waypoint !== undefined && specOf(entry).ports.length === 0 && specOf(entry).hosts.length > 0) {
			yield {
				path: ["spec", "ports"],
				message: `No port is declared, so the waypoint ${waypoint} closes every connection to these hosts`,
				hint: "Declare each port that clients use, such as number: 443, name: tls, protocol: TLS",
			};
		}
	},
};
