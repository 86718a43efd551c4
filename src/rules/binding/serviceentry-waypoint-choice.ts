import { useWaypointLabel, useWaypointNamespaceLabel } from "../../core/policy.ts";
import type { Rule } from "../../core/rule.ts";
import {
	bindingConfirms,
	bindingReads,
	entryBinding,
	formatWaypoint,
	hasReadableLabels,
	hasUnusualBinding,
	isSameWaypoint,
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

/** The waypoint that an author chose is the one of the policy. */
export const serviceentryWaypointChoice: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-choice",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: bindingReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "The waypoint that an author chose must be the one of the namespace's policy",
		why: "The security team puts its authorization policies on one waypoint. An entry that names another one goes past them.",
		fix: "Remove both waypoint labels and let the mutating webhook add those of the policy.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: fetchWaypointForTarget"],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(plainEntry, {
			"istio.io/use-waypoint": "other",
			"istio.io/use-waypoint-namespace": "istio-egress",
		}),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			{ ...egressWaypoint, metadata: { name: "other", namespace: "istio-egress" } } as typeof egressWaypoint,
		],
	},
	when: hasUnusualBinding,
	*check(entry, context) {
		const { request, expected, omittedNamespace } = entryBinding(entry, context);
		// A namespace's own label is Istio's default for entries that say nothing, not a policy.
		const isPolicy = context.policy.waypointSource !== "namespace label";
		if (expected === undefined || !isPolicy || omittedNamespace !== undefined || !hasReadableLabels(entry)) {
			return;
		}
		if (request.asked && request.by === "object" && !isSameWaypoint(request.waypoint, expected)) {
			yield {
				path: useWaypointPath,
				message: `Names the waypoint ${formatWaypoint(request.waypoint)}, but the policy of this namespace (${context.policy.waypointSource}) names ${formatWaypoint(expected)}`,
				hint: "Remove the labels istio.io/use-waypoint and istio.io/use-waypoint-namespace: the right ones are added for you",
			};
		}
	},
	cel: {
		problems: [
			{
				when: `e.expected != '' && variables.named != '' && !e.omitsNamespace && e.readable &&
  e.own != '' && e.own != e.expected`,
				path: `metadata.labels["${useWaypointLabel}"]`,
				message: "Names the waypoint {e.own}, but the policy of this namespace names {e.expected}",
				hint: `Remove the labels ${useWaypointLabel} and ${useWaypointNamespaceLabel}: the right ones are added for you`,
			},
		],
	},
};
