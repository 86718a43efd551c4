import { mention } from "../../core/finding.ts";
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

/** The waypoint that a ServiceEntry is bound to admits the entry's namespace. */
export const serviceentryWaypointAttachment: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-attachment",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: targetReads,
	confirms: targetConfirms,
	fixable: false,
	docs: {
		summary: "The waypoint that a ServiceEntry is bound to must admit the entry's namespace",
		why: "A waypoint admits only its own namespace unless allowedRoutes of its HBONE listener on port 15008 says otherwise. Istio then writes AttachmentDenied, and traffic goes straight to the internet.",
		fix: "On the waypoint's listener mesh (port 15008, protocol HBONE) set allowedRoutes.namespaces.from to All, or to Selector with a selector that matches the namespace.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: makeAllowedRoutes, AllowsAttachmentFromNamespace",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(plainEntry, {
			"istio.io/use-waypoint": "private",
			"istio.io/use-waypoint-namespace": "istio-egress",
		}),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			{
				...egressWaypoint,
				metadata: { name: "private", namespace: "istio-egress" },
				spec: {
					gatewayClassName: "istio-waypoint",
					listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
				},
			} as typeof egressWaypoint,
		],
	},
	when: hasWaypointFault,
	*check(entry, context) {
		const found = targetState(entry, context);
		if (found?.state.gateway === undefined || found.state.waypointClass === false) {
			return;
		}
		if (found.state.admits || found.state.selectorFault !== undefined) {
			return;
		}
		yield {
			path: found.targetPath,
			message: `Waypoint ${formatWaypoint(found.target)}, which ${found.origin}, does not admit namespace ${mention(context.namespace)}: traffic would leave the cluster without it`,
			hint: "On its listener for HBONE on port 15008, let allowedRoutes.namespaces admit this namespace (from: All or a Selector)",
		};
	},
	cel: {
		problems: [
			{
				needs: "table",
				when: "e.exists && !e.admitted",
				path: "metadata.labels",
				message:
					"Waypoint {e.looked}, which {e.origin}, does not admit namespace {request.namespace}: traffic would leave the cluster without it",
				hint: "On its listener for HBONE on port 15008, let allowedRoutes.namespaces admit this namespace (from: All or a Selector)",
			},
		],
	},
};
