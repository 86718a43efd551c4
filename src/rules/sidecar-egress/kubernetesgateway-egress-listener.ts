import type { Rule } from "../../core/rule.ts";
import { gatewayApiReads, gatewayEvidence } from "../../istio/egress/gateway-api.ts";
import { egressSeverity, insteadHint } from "../../istio/egress/services.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";
import { egressListener, routedEntry } from "./examples.ts";

/** A Gateway of the Gateway API is not an egress gateway where ambient is enforced, unless it is a waypoint. */
export const kubernetesgatewayEgressListener: Rule<"KubernetesGateway"> = {
	id: "kubernetesgateway-egress-listener",
	kind: "KubernetesGateway",
	family: "sidecar-egress",
	severity: "error",
	reads: gatewayApiReads,
	confirms: ["GatewayClass"],
	fixable: false,
	docs: {
		summary:
			"A Gateway of the Gateway API must be a waypoint, not an egress gateway, where ambient is enforced",
		why: "An ordinary gateway for an external host only gets the traffic that sidecars send to it. Pods without a sidecar pass it by.",
		fix: "Delete it and bind the ServiceEntry of the host to a waypoint, a Gateway of class istio-waypoint.",
		sources: [
			"istio.io docs: tasks/traffic-management/egress/egress-gateway (Gateway API)",
			"istio/istio pilot/pkg/config/kube/gateway/conversion.go",
		],
		since: "0.1.0",
		good: egressWaypoint,
		bad: egressListener,
		given: [teamNamespace, egressNamespace, routedEntry],
	},
	*check(gateway, context) {
		for (const evidence of gatewayEvidence(gateway, context.namespace, context.inventory)) {
			yield {
				...evidence,
				hint: insteadHint(context, "Delete this Gateway"),
				...egressSeverity(context.policy),
			};
		}
	},
};
