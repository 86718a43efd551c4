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
	withAnnotations,
	withLabels,
} from "../examples.ts";

/** The mesh lets a ServiceEntry bind to a waypoint of another namespace. */
export const serviceentryWaypointVisibility: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-visibility",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: targetReads,
	confirms: targetConfirms,
	fixable: false,
	docs: {
		summary:
			"A ServiceEntry that the mesh shows to its own namespace only must use a waypoint of that namespace",
		why: "From Istio 1.31, meshConfig.serviceEntryVisibility can limit the ServiceEntries of a namespace to it. Istio then refuses a waypoint of another namespace with CrossNamespaceWaypointForbidden, and traffic goes straight to the internet. With visibility NONE the entry does not exist for the mesh at all.",
		fix: "Use a waypoint in the same namespace, or let the mesh configuration give the namespace PUBLIC visibility.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: ReportWaypointCrossNamespaceForbidden",
			"istio.io docs: ambient/usage/serviceentry-visibility",
		],
		since: "0.1.0",
		good: withLabels(plainEntry, { "istio.io/use-waypoint": "local" }),
		bad: boundEntry,
		given: [
			withAnnotations(teamNamespace, {}),
			egressNamespace,
			egressWaypoint,
			{ ...egressWaypoint, metadata: { name: "local", namespace: "team" } } as typeof egressWaypoint,
		],
		mesh: {
			istioMinor: 31,
			serviceEntryVisibility: { defaultVisibility: "NAMESPACE", policies: [] },
		},
	},
	when: hasWaypointFault,
	*check(entry, context) {
		const found = targetState(entry, context);
		if (found?.state.gateway !== undefined && found.state.forbidden) {
			yield {
				path: found.targetPath,
				message: `Waypoint ${formatWaypoint(found.target)}, which ${found.origin}, is in another namespace, and the mesh limits the ServiceEntries of ${mention(context.namespace)} to it: traffic would leave the cluster without the waypoint`,
				hint: "Use a waypoint in this namespace, or change meshConfig.serviceEntryVisibility",
			};
		}
	},
};
