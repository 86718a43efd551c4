import type { Rule } from "../../core/rule.ts";
import { egressSeverity, insteadHint } from "../../istio/egress/services.ts";
import { steerEvidence, virtualServiceReads } from "../../istio/egress/virtual-services.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";
import { leadsToGateway } from "./cel.ts";
import { egressRoute, ingressRoute } from "./examples.ts";

/** A VirtualService does not route to an egress gateway where ambient is enforced. */
export const virtualserviceEgressRoute: Rule<"VirtualService"> = {
	id: "virtualservice-egress-route",
	kind: "VirtualService",
	family: "sidecar-egress",
	severity: "error",
	reads: virtualServiceReads,
	confirms: ["Service", "KubernetesGateway", "VirtualService"],
	fixable: false,
	docs: {
		summary: "A VirtualService must not route to an egress gateway where ambient is enforced",
		why: "Only sidecars read this route. In ambient the waypoint of the ServiceEntry is the way out; a waypoint that does read it would send the traffic on a detour that no policy of the namespace knows.",
		fix: "Bind the host's ServiceEntry to a waypoint and delete the route; timeouts, retries and header rules move to an HTTPRoute on the ServiceEntry, which `waymark migrate` writes.",
		sources: [
			"istio.io docs: tasks/traffic-management/egress/egress-gateway (the route from the sidecars)",
			"istio/istio pilot/pkg/networking/core/listener_waypoint.go: getVirtualServiceForWaypoint",
		],
		since: "0.1.0",
		good: ingressRoute,
		bad: egressRoute,
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	*check(route, context) {
		for (const evidence of steerEvidence(route, context.namespace, context.inventory)) {
			yield {
				...evidence,
				hint: insteadHint(context, "Remove this route"),
				...egressSeverity(context.policy),
			};
		}
	},
	cel: leadsToGateway("spec", "Routes to", "Remove this route"),
};
