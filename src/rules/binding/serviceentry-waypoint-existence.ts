import { isNameLike, mention } from "../../core/finding.ts";
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

/** The waypoint that a ServiceEntry is bound to exists. */
export const serviceentryWaypointExistence: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-existence",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: targetReads,
	confirms: targetConfirms,
	needs: ["KubernetesGateway"],
	fixable: false,
	docs: {
		summary: "The waypoint that a ServiceEntry is bound to must exist",
		why: "Istio fails open: an entry that names a waypoint which does not exist is sent to ztunnel without one, and traffic goes straight to the internet. There is no fall-back to the waypoint of the namespace.",
		fix: "Correct the name, or create the waypoint first. With waypoints.whenMissing: warn in the cluster configuration this is a warning.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: fetchWaypointForTarget, ReportWaypointIsNotReady",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(plainEntry, {
			"istio.io/use-waypoint": "egres",
			"istio.io/use-waypoint-namespace": "istio-egress",
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasWaypointFault,
	*check(entry, context) {
		const found = targetState(entry, context);
		if (found === undefined || found.state.gateway !== undefined) {
			return;
		}
		const near = [...context.inventory.inNamespace("KubernetesGateway", found.target.namespace)]
			.slice(0, 3)
			.map((gateway) => mention(gateway.metadata?.name ?? ""));
		const waypoint = formatWaypoint(found.target);
		yield {
			path: found.targetPath,
			message: `Gateway ${waypoint}, which ${found.origin}, does not exist: traffic would leave the cluster without a waypoint`,
			hint:
				near.length > 0 || !isNameLike(waypoint)
					? `Gateways in namespace ${mention(found.target.namespace)}: ${near.join(", ") || "none"}`
					: `Create the waypoint first: istioctl waypoint apply --namespace ${found.target.namespace} --name ${found.target.name}`,
			...(context.inventory.settings.waypoints.whenMissing === "warn"
				? { severity: "warning" as const }
				: {}),
		};
	},
	cel: {
		problems: [
			{
				needs: "table",
				when: "e.looked != '' && !e.exists",
				path: "metadata.labels",
				message:
					"Gateway {e.looked}, which {e.origin}, does not exist: traffic would leave the cluster without a waypoint",
				hint: "Create the waypoint first: istioctl waypoint apply",
			},
		],
	},
};
