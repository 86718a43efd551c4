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
	brokenSelectorWaypoint,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
} from "../examples.ts";
import { waypointFault } from "./cel.ts";

/** The waypoint that a ServiceEntry is bound to has a namespace selector that istiod can parse. */
export const serviceentryWaypointSelector: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-selector",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: targetReads,
	confirms: targetConfirms,
	fixable: false,
	docs: {
		summary:
			"The waypoint that a ServiceEntry is bound to must have a namespace selector that istiod can parse",
		why: "The first ServiceEntry that binds to a waypoint with a malformed selector makes istiod panic, and again at every restart: the whole mesh stops getting configuration.",
		fix: "Fix the selector on the waypoint's listener before anything binds to it.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: makeWaypointSelector",
			"seen on a running istiod of the 1.31 line",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(plainEntry, {
			"istio.io/use-waypoint": "broken",
			"istio.io/use-waypoint-namespace": "istio-egress",
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint, brokenSelectorWaypoint],
	},
	when: hasWaypointFault,
	*check(entry, context) {
		const found = targetState(entry, context);
		if (found?.state.selectorFault !== undefined) {
			yield {
				path: found.targetPath,
				message: `Waypoint ${formatWaypoint(found.target)}, which ${found.origin}, has a malformed namespace selector (${found.state.selectorFault}): binding to it would stop istiod`,
				hint: "Fix allowedRoutes.namespaces.selector of the waypoint's HBONE listener first",
			};
		}
	},
	cel: waypointFault(
		"serviceentry-waypoint-selector",
		"Fix allowedRoutes.namespaces.selector of the waypoint's HBONE listener first",
	),
};
