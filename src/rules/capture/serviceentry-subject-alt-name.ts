import type { Rule } from "../../core/rule.ts";
import { wantedWaypoint, wantedWaypointReads } from "../../istio/capture/owners.ts";
import { hasSubjectAltNames } from "../../istio/entry/facts.ts";
import { bindingConfirms } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** An entry at a waypoint should not count on subjectAltNames. */
export const serviceentrySubjectAltName: Rule<"ServiceEntry"> = {
	id: "serviceentry-subject-alt-name",
	kind: "ServiceEntry",
	family: "capture",
	severity: "warning",
	reads: wantedWaypointReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "An entry at a waypoint should not count on subjectAltNames",
		why: "A waypoint that originates TLS takes the names it verifies from the DestinationRule, or from the host; those of the ServiceEntry have no effect.",
		fix: "Write subjectAltNames into the tls settings of the DestinationRule.",
		sources: ["istio/istio pilot/pkg/networking/core/cluster_waypoint.go: buildWaypointInboundVIPCluster"],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { subjectAltNames: ["api.payments.example.com"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasSubjectAltNames,
	*check(entry, context) {
		const waypoint = wantedWaypoint(entry, context);
		if ((entry.spec?.subjectAltNames ?? []).length > 0 && waypoint !== undefined) {
			yield {
				path: ["spec", "subjectAltNames"],
				message: `The waypoint ${waypoint} does not verify the subjectAltNames of a ServiceEntry`,
				hint: "Write them into the tls settings of a DestinationRule for the host",
			};
		}
	},
};
