import type { Rule } from "../../core/rule.ts";
import { hasIstioMetadata } from "../../istio/entry/facts.ts";
import { isManaged, managedLabel } from "../../istio/waypoint/waypoint.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withLabels } from "../examples.ts";

/** An entry must not carry the mark of a gateway that istiod manages. */
export const serviceentryManagedLabel: Rule<"ServiceEntry"> = {
	id: "serviceentry-managed-label",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "An entry must not carry the mark of a gateway that istiod manages",
		why: "istiod gives no waypoint to what is marked as a waypoint or an east-west gateway by the label gateway.istio.io/managed, whatever else the object says. On a ServiceEntry the label is a way past the waypoint.",
		fix: "Remove the label.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: fetchWaypointForService"],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(boundEntry, { "gateway.istio.io/managed": "istio.io-mesh-controller" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasIstioMetadata,
	*check(entry) {
		if (isManaged(entry.metadata?.labels)) {
			yield {
				path: ["metadata", "labels", managedLabel],
				message:
					"With this label istiod gives the entry no waypoint, so its traffic leaves the cluster ungoverned",
				hint: "Remove the label",
			};
		}
	},
	cel: {
		problems: [
			{
				when: "e.managed",
				path: 'metadata.labels["gateway.istio.io/managed"]',
				message:
					"With this label istiod gives the entry no waypoint, so its traffic leaves the cluster ungoverned",
				hint: "Remove the label",
			},
		],
	},
};
