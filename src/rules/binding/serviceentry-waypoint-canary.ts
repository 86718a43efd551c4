import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import { isPolicyEditor } from "../../core/policy-editors.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import type { WaypointReference } from "../../core/settings.ts";
import { leavesCluster } from "../../istio/entry/border.ts";
import {
	entryBinding,
	formatWaypoint,
	isSameWaypoint,
	targetConfirms,
	targetReads,
} from "../../istio/waypoint/binding.ts";
import { asksForCanary, canaryLabel, canaryOf, canaryWeightAnnotation } from "../../istio/waypoint/canary.ts";
import { inspectWaypoint } from "../../istio/waypoint/waypoint.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
	withLabels,
} from "../examples.ts";

/** A canary waypoint is one that the policy names, and another waypoint that accepts the entry, with a weight from 0 to 100. */
export const serviceentryWaypointCanary: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-canary",
	kind: "ServiceEntry",
	family: "binding",
	severity: "warning",
	reads: targetReads,
	confirms: targetConfirms,
	fixable: false,
	docs: {
		summary:
			"A canary waypoint must be the policy's, and another waypoint that accepts the entry, with a weight from 0 to 100",
		why: "From Istio 1.31 an entry can send a part of its traffic through a second waypoint, and be it all of it. Where the namespace's policy names a waypoint, a share for another one goes past the policies of the first; only policy editors may write it. When that one cannot be used or the weight is no number from 0 to 100, everything goes through the first one, and only the message of the condition WaypointBound says so.",
		fix: "Name a waypoint that admits this namespace and serves services, and write the weight as a whole number.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: buildWeightedWaypoints"],
		since: "0.1.0",
		good: withAnnotations(
			withLabels(boundEntry, {
				"istio.io/use-waypoint-canary": "next",
				"istio.io/use-waypoint-canary-namespace": "istio-egress",
			}),
			{ "istio.io/use-waypoint-canary-weight": "0" },
		),
		bad: withAnnotations(
			withLabels(boundEntry, {
				"istio.io/use-waypoint-canary": "next",
				"istio.io/use-waypoint-canary-namespace": "istio-egress",
			}),
			{ "istio.io/use-waypoint-canary-weight": "10" },
		),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			{ ...egressWaypoint, metadata: { name: "next", namespace: "istio-egress" } },
		],
	},
	when: asksForCanary,
	*check(entry, context) {
		const { request, target } = entryBinding(entry, context);
		const found = canaryOf(entry, context.namespace, context.inventory);
		if (found === undefined) {
			return;
		}
		const { waypoint: canary, weight, written } = found;
		const path = found.isOwn ? ["metadata", "labels", canaryLabel] : ["metadata", "labels"];
		if (target === undefined) {
			yield {
				path,
				message: `A canary waypoint has no effect ${request.asked ? "here" : "without a waypoint beside it"}`,
				hint: "Bind the entry by istio.io/use-waypoint first, or remove the label",
			};
			return;
		}
		if (isSameWaypoint(canary, target)) {
			yield {
				path,
				message: `The canary waypoint is ${formatWaypoint(target)}, the same as the first one`,
				hint: "Name another waypoint, or remove the label",
			};
			return;
		}
		if (weight === undefined) {
			yield {
				path: ["metadata", "annotations", canaryWeightAnnotation],
				message: `${quote(written)} is no weight, so all traffic stays with ${formatWaypoint(target)}`,
				hint: "Write a whole number from 0 to 100",
			};
			return;
		}
		if (weight > 0 && isPastPolicy(entry, canary, context)) {
			yield {
				path,
				severity: "error",
				message: `Sends ${weight} % of its connections through the waypoint ${formatWaypoint(canary)}, which is not the one of this namespace's policy`,
				hint: "Remove the label istio.io/use-waypoint-canary, or ask a policy editor to write it",
			};
			return;
		}
		const state = inspectWaypoint(canary, context.namespace, context.inventory);
		if (!state.ready || !state.admits || !state.servesServices) {
			const why = !state.ready
				? "not ready"
				: state.admits
					? "not for service traffic"
					: "closed to this namespace";
			yield {
				path,
				message: `The canary waypoint ${formatWaypoint(canary)} is ${state.gateway === undefined ? "missing" : why}, so all traffic stays with ${formatWaypoint(target)}`,
				hint: "Name a waypoint that is ready and admits this namespace, or remove the label",
			};
		}
	},
};

/** Whether a waypoint is none that the policy of the namespace names for what leaves the cluster. */
function isPastPolicy(entry: ServiceEntry, canary: WaypointReference, context: RuleContext): boolean {
	const { policy, requester, inventory } = context;
	const { waypoint } = policy;
	return (
		waypoint !== undefined &&
		waypoint !== "none" &&
		policy.waypointSource !== "namespace label" &&
		!isSameWaypoint(canary, waypoint) &&
		leavesCluster(entry, context) &&
		!isPolicyEditor(requester, inventory.settings)
	);
}
