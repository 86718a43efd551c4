import type { Rule } from "../../core/rule.ts";
import { wantedWaypoint, wantedWaypointReads } from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasAddresses } from "../../istio/entry/facts.ts";
import { bindingConfirms } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** Several hosts of an entry must not share listed addresses at a waypoint. */
export const serviceentryAddressShared: Rule<"ServiceEntry"> = {
	id: "serviceentry-address-shared",
	kind: "ServiceEntry",
	family: "capture",
	severity: "warning",
	reads: wantedWaypointReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "Several hosts of an entry must not share listed addresses at a waypoint",
		why: "A waypoint tells hosts apart by the address that a client connected to. Where several hosts share listed addresses it takes all traffic for the first host's, so routes and policies of the others never apply.",
		fix: "Write one entry for each host, or leave out addresses so that Istio allocates one for each host.",
		sources: ["istio/istio pilot/pkg/networking/core/listener_waypoint.go: buildWaypointInternal"],
		since: "0.1.0",
		good: withSpec(boundEntry, { addresses: ["203.0.113.10"] }),
		bad: withSpec(boundEntry, {
			hosts: ["api.payments.example.com", "www.payments.example.com"],
			addresses: ["203.0.113.10"],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasAddresses,
	*check(entry, context) {
		const { hosts, addresses } = specOf(entry);
		const waypoint = wantedWaypoint(entry, context);
		if (hosts.length > 1 && addresses.length > 0 && waypoint !== undefined) {
			yield {
				path: ["spec", "addresses"],
				message: `All ${hosts.length} hosts share these addresses, so the waypoint ${waypoint} takes their traffic for the first host's`,
				hint: "Write one ServiceEntry for each host, or leave out addresses",
			};
		}
	},
};
