import type { Rule } from "../../core/rule.ts";
import { gatewayApiReads, routeProblems } from "../../istio/egress/gateway-api.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";
import { leadsToGateway } from "./cel.ts";
import { steeringRoute, waypointRoute } from "./examples.ts";

/** A GRPCRoute does not lead to or from an egress gateway where ambient is enforced. */
export const grpcrouteEgressBackend: Rule<"GRPCRoute"> = {
	id: "grpcroute-egress-backend",
	kind: "GRPCRoute",
	family: "sidecar-egress",
	severity: "error",
	reads: gatewayApiReads,
	confirms: ["Service", "KubernetesGateway", "GatewayClass"],
	fixable: false,
	docs: {
		summary: "A GRPCRoute must not lead to or from an egress gateway where ambient is enforced",
		why: "The way through an ordinary gateway is the sidecars' way out. A waypoint that reads such a route sends the traffic on a detour past its own policies, and ztunnel does not read it at all.",
		fix: "Delete it and bind the ServiceEntry to a waypoint; a GRPCRoute whose parent is the ServiceEntry and whose backend is the host itself stays, it works at the waypoint.",
		sources: [
			"istio.io docs: tasks/traffic-management/egress/egress-gateway (Gateway API)",
			"istio/istio pilot/pkg/config/kube/gateway/conversion.go: parentRef ServiceEntry, backendRef Hostname",
		],
		since: "0.1.0",
		good: waypointRoute("GRPCRoute"),
		bad: steeringRoute("GRPCRoute"),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	*check(route, context) {
		yield* routeProblems(route, context);
	},
	cel: leadsToGateway("spec.rules", "Routes to", "Delete this route"),
};
