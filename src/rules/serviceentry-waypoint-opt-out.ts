import type { Rule } from "../core/rule.ts";
import { entryBinding, isExternal, useWaypointPath } from "../istio/entry-binding.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
} from "../istio/examples.ts";
import { managedLabel } from "../istio/waypoint.ts";

/** An external ServiceEntry does not opt out of waypoints where ambient is enforced. */
export const serviceentryWaypointOptOut: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-opt-out",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: ["Namespace"],
	fixable: false,
	docs: {
		summary: "An external ServiceEntry must not opt out of waypoints where ambient is enforced",
		why: "The label istio.io/use-waypoint: none makes ztunnel connect straight to the internet, past every policy of the waypoint, for the clients of this namespace and often of the whole mesh. So does the label gateway.istio.io/managed with a waypoint's value.",
		fix: "Remove the label. Where ungoverned egress is intended, the security team annotates the namespace with egress.waymark.dev/ambient: permitted or egress.waymark.dev/waypoint: none.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: GetUseWaypoint, fetchWaypointForService",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(plainEntry, { "istio.io/use-waypoint": "none" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	*check(entry, context) {
		const { policy } = context;
		const { request } = entryBinding(entry, context);
		if (!isExternal(entry) || request.asked || policy.waypoint === "none") {
			return;
		}
		const severity = policy.ambient === "enforced" ? {} : { severity: "info" as const };
		if (request.optedOut === "object") {
			yield {
				path: useWaypointPath,
				message: "Opts out of the waypoint, so its traffic leaves the cluster ungoverned",
				hint: "Remove the label istio.io/use-waypoint",
				...severity,
			};
		}
		if (request.optedOut === "gateway") {
			yield {
				path: ["metadata", "labels", managedLabel],
				message:
					"Looks like a part of a waypoint to Istio, which binds it to none, so its traffic leaves the cluster ungoverned",
				hint: `Remove the label ${managedLabel}: it belongs on what Istio deploys for a Gateway`,
				...severity,
			};
		}
	},
};
