import type { Rule } from "../../core/rule.ts";
import { selectorEvidence } from "../../istio/egress/objects.ts";
import { egressSeverity, insteadHint } from "../../istio/egress/services.ts";
import { virtualServiceReads } from "../../istio/egress/virtual-services.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";
import { instead, noPlace, selectsGateway } from "./cel.ts";
import { egressGateway, ingressGateway } from "./examples.ts";

/** A Gateway does not select the pods of an egress gateway where ambient is enforced. */
export const istiogatewayEgressSelector: Rule<"IstioGateway"> = {
	id: "istiogateway-egress-selector",
	kind: "IstioGateway",
	family: "sidecar-egress",
	severity: "error",
	reads: virtualServiceReads,
	fixable: false,
	docs: {
		summary: "A Gateway must not select the pods of an egress gateway where ambient is enforced",
		why: "Pods without a sidecar never send their traffic to an egress gateway: the Gateway looks like a control and controls nothing, while the traffic goes to the ServiceEntry's waypoint or straight to the internet.",
		fix: "Bind the host's ServiceEntry to a waypoint and delete this Gateway; `waymark migrate` writes the replacement. Gateways of ingress and east-west gateways are not meant.",
		sources: [
			"istio/istio pilot/pkg/model/push_context.go: mergeGateways (a selector picks pods by labels)",
			"istio.io docs: tasks/traffic-management/egress/egress-gateway and ambient/usage/egress-gateway",
		],
		since: "0.1.0",
		good: ingressGateway,
		bad: egressGateway,
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	*check(gateway, context) {
		for (const evidence of selectorEvidence(gateway, context.namespace, context.name, context.inventory)) {
			yield {
				...evidence,
				hint: insteadHint(context, "Delete this Gateway"),
				...egressSeverity(context.policy),
			};
		}
	},
	cel: selectsGateway("spec.selector", `Selects the pods of ${noPlace}`, `Delete this Gateway; ${instead}`),
};
