import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { leavesCluster } from "../../istio/entry/border.ts";
import {
	bindingConfirms,
	bindingReads,
	entryBinding,
	hasUnusualBinding,
} from "../../istio/waypoint/binding.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withAnnotations,
} from "../examples.ts";

/** Something names the waypoint for the external ServiceEntries of an ambient namespace. */
export const serviceentryWaypointSource: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-source",
	kind: "ServiceEntry",
	family: "binding",
	severity: "warning",
	reads: bindingReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "Something should name a waypoint for the external ServiceEntries of an ambient namespace",
		why: "Neither the entry, nor its namespace, nor the cluster's configuration names a waypoint, so ztunnel connects straight to the internet and nothing governs the traffic.",
		fix: "Annotate the namespace with egress.waymark.dev/waypoint: NAMESPACE/NAME, or set defaults.waypoint in the cluster configuration. Write none there where ungoverned egress is intended.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: fetchWaypointForTarget"],
		since: "0.1.0",
		good: boundEntry satisfies ServiceEntry,
		bad: plainEntry,
		given: [withAnnotations(teamNamespace, {}), egressNamespace, egressWaypoint],
	},
	when: hasUnusualBinding,
	*check(entry, context) {
		const { policy } = context;
		if (policy.ambient !== "enforced" || policy.waypoint !== undefined || !leavesCluster(entry, context)) {
			return;
		}
		const { request } = entryBinding(entry, context);
		if (!request.asked && request.optedOut === undefined) {
			yield {
				path: ["metadata", "labels"],
				message: "Bound to no waypoint, and no policy names one: its traffic leaves the cluster ungoverned",
				hint: "Annotate the namespace with egress.waymark.dev/waypoint: NAMESPACE/NAME, or with none if that is intended",
			};
		}
	},
};
