import { useWaypointLabel } from "../../core/policy.ts";
import type { Rule } from "../../core/rule.ts";
import { leavesCluster } from "../../istio/entry/border.ts";
import {
	bindingConfirms,
	bindingReads,
	entryBinding,
	hasUnusualBinding,
	useWaypointPath,
} from "../../istio/waypoint/binding.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
} from "../examples.ts";

/** An external ServiceEntry does not opt out of waypoints where ambient is enforced. */
export const serviceentryWaypointOptOut: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-opt-out",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: bindingReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "An external ServiceEntry must not opt out of waypoints where ambient is enforced",
		why: "The label istio.io/use-waypoint: none makes ztunnel connect straight to the internet, past every policy of the waypoint, for the clients of this namespace and often of the whole mesh.",
		fix: "Remove the label. Where ungoverned egress is intended, the security team annotates the namespace with egress.waymark.dev/ambient: permitted or egress.waymark.dev/waypoint: none.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: GetUseWaypoint"],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(plainEntry, { "istio.io/use-waypoint": "none" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnusualBinding,
	*check(entry, context) {
		const { policy } = context;
		const { request } = entryBinding(entry, context);
		if (
			!leavesCluster(entry, context) ||
			request.asked ||
			request.optedOut !== "object" ||
			policy.waypoint === "none"
		) {
			return;
		}
		yield {
			path: useWaypointPath,
			message: "Opts out of the waypoint, so its traffic leaves the cluster ungoverned",
			hint: "Remove the label istio.io/use-waypoint",
			...(policy.ambient === "enforced" ? {} : { severity: "info" as const }),
		};
	},
	cel: {
		problems: [
			{
				when: `variables.ambient && e.leaves && e.labels[?'${useWaypointLabel}'].orValue('') == 'none' &&
  !e.managed && variables.wanted != 'none'`,
				path: `metadata.labels["${useWaypointLabel}"]`,
				message: "Opts out of the waypoint, so its traffic leaves the cluster ungoverned",
				hint: `Remove the label ${useWaypointLabel}`,
			},
		],
	},
};
