import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import {
	formatWaypoint,
	hasWaypointFault,
	targetConfirms,
	targetReads,
	targetState,
} from "../../istio/waypoint/binding.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
} from "../examples.ts";
import { waypointFault } from "./cel.ts";

/** The waypoint that a ServiceEntry is bound to serves service traffic. */
export const serviceentryWaypointTraffic: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-traffic",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: targetReads,
	confirms: targetConfirms,
	fixable: false,
	docs: {
		summary: "The waypoint that a ServiceEntry is bound to must serve service traffic",
		why: "A waypoint whose label istio.io/waypoint-for says anything but service or all does not take the traffic of ServiceEntries: Istio writes UnsupportedTrafficType, and traffic goes straight to the internet.",
		fix: "Remove the label istio.io/waypoint-for from the Gateway, or set it to service or all, in lower case.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: fetchWaypointForService"],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(plainEntry, {
			"istio.io/use-waypoint": "pods",
			"istio.io/use-waypoint-namespace": "istio-egress",
		}),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			{
				...egressWaypoint,
				metadata: {
					name: "pods",
					namespace: "istio-egress",
					labels: { "istio.io/waypoint-for": "workload" },
				},
			} as typeof egressWaypoint,
		],
	},
	when: hasWaypointFault,
	*check(entry, context) {
		const found = targetState(entry, context);
		if (
			found?.state.gateway === undefined ||
			found.state.servesServices ||
			found.state.waypointClass === false
		) {
			return;
		}
		yield {
			path: found.targetPath,
			message: `Waypoint ${formatWaypoint(found.target)}, which ${found.origin}, serves the traffic type ${quote(found.state.trafficType)} and not services: traffic would leave the cluster without it`,
			hint: "Set the Gateway's label istio.io/waypoint-for to service or all",
		};
	},
	cel: waypointFault(
		"serviceentry-waypoint-traffic",
		"Set the Gateway's label istio.io/waypoint-for to service or all",
	),
};
