import { quote } from "../../core/finding.ts";
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
import { waypointFault } from "./cel.ts";

/** The Gateway that a ServiceEntry is bound to is a waypoint. */
export const serviceentryWaypointClass: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-class",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: targetReads,
	confirms: targetConfirms,
	fixable: false,
	docs: {
		summary: "The Gateway that a ServiceEntry is bound to must be a waypoint",
		why: "Istio binds to any Gateway that has an address and reports WaypointBound=True, even to an ingress gateway. ztunnel then finds no port 15008 there and drops every connection.",
		fix: "Name a Gateway of class istio-waypoint. Other waypoint implementations are listed by their class under waypoints.classes, or by its controller under waypoints.controllers, in the cluster configuration; without that, a class of theirs is a warning.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: gatewayToWaypointTransform",
			"istio/istio pilot/pkg/config/kube/gatewaycommon/classinfo.go",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(plainEntry, {
			"istio.io/use-waypoint": "public",
			"istio.io/use-waypoint-namespace": "istio-egress",
		}),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			{
				...egressWaypoint,
				metadata: { name: "public", namespace: "istio-egress" },
				spec: { gatewayClassName: "istio", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
			} as typeof egressWaypoint,
		],
	},
	when: hasWaypointFault,
	*check(entry, context) {
		const found = targetState(entry, context);
		if (found?.state.gateway === undefined || found.state.waypointClass === true) {
			return;
		}
		const name = quote(found.state.gateway.spec?.gatewayClassName ?? "");
		const unknown = found.state.waypointClass === undefined;
		yield {
			path: found.targetPath,
			message: unknown
				? `Gateway ${formatWaypoint(found.target)}, which ${found.origin}, has the class ${name}, of which nobody said that it makes waypoints`
				: `Gateway ${formatWaypoint(found.target)}, which ${found.origin}, is of class ${name} and no waypoint: ztunnel would drop the traffic`,
			hint: unknown
				? `Name a Gateway of class istio-waypoint, or list the class under waypoints.classes of the cluster configuration`
				: "Name a Gateway of class istio-waypoint",
			...(unknown ? { severity: "warning" as const } : {}),
		};
	},
	cel: waypointFault("serviceentry-waypoint-class", "Name a Gateway of class istio-waypoint"),
};
