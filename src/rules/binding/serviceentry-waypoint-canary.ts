import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { hasIstioMetadata } from "../../istio/entry/facts.ts";
import {
	entryBinding,
	formatWaypoint,
	isSameWaypoint,
	targetConfirms,
	targetReads,
} from "../../istio/waypoint/binding.ts";
import { labelOf } from "../../istio/waypoint/label-selector.ts";
import { inspectWaypoint } from "../../istio/waypoint/waypoint.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
	withLabels,
} from "../examples.ts";

const canaryLabel = "istio.io/use-waypoint-canary";
const weightAnnotation = "istio.io/use-waypoint-canary-weight";

/** A canary waypoint must be another waypoint that accepts the entry, with a weight from 0 to 100. */
export const serviceentryWaypointCanary: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-canary",
	kind: "ServiceEntry",
	family: "binding",
	severity: "warning",
	reads: targetReads,
	confirms: targetConfirms,
	fixable: false,
	docs: {
		summary: "A canary waypoint must be another waypoint that accepts the entry, with a weight from 0 to 100",
		why: "From Istio 1.31 an entry can send a part of its traffic through a second waypoint. When that one cannot be used or the weight is no number from 0 to 100, everything goes through the first one, and only the message of the condition WaypointBound says so.",
		fix: "Name a waypoint that admits this namespace and serves services, and write the weight as a whole number.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: buildWeightedWaypoints"],
		since: "0.1.0",
		good: withAnnotations(
			withLabels(boundEntry, {
				"istio.io/use-waypoint-canary": "next",
				"istio.io/use-waypoint-canary-namespace": "istio-egress",
			}),
			{ "istio.io/use-waypoint-canary-weight": "10" },
		),
		bad: withAnnotations(
			withLabels(boundEntry, {
				"istio.io/use-waypoint-canary": "next",
				"istio.io/use-waypoint-canary-namespace": "istio-egress",
			}),
			{ "istio.io/use-waypoint-canary-weight": "10%" },
		),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			{ ...egressWaypoint, metadata: { name: "next", namespace: "istio-egress" } },
		],
	},
	when: hasIstioMetadata,
	*check(entry, context) {
		const { labels, annotations } = entry.metadata ?? {};
		const name = labelOf(labels, canaryLabel);
		const { request, target } = entryBinding(entry, context);
		// An entry that inherits its waypoint may inherit the canary; its own label counts in either case.
		if (name === undefined || name === "" || name === "none" || context.inventory.mesh.istioMinor < 31) {
			return;
		}
		const canary = { name, namespace: labelOf(labels, `${canaryLabel}-namespace`) ?? context.namespace };
		const path = ["metadata", "labels", canaryLabel];
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
		const weight = labelOf(annotations, weightAnnotation);
		if (
			weight !== undefined &&
			!(/^[+-]?[0-9]+$/.test(weight) && Number(weight) >= 0 && Number(weight) <= 100)
		) {
			yield {
				path: ["metadata", "annotations", weightAnnotation],
				message: `${quote(weight)} is no weight, so all traffic stays with ${formatWaypoint(target)}`,
				hint: "Write a whole number from 0 to 100",
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
