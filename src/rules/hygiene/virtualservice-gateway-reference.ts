import type { Rule } from "../../core/rule.ts";
import { missingGateways } from "../../istio/egress/gateway-reference.ts";
import { teamNamespace } from "../examples.ts";
import { egressRoute, ingressGateway, ingressRoute } from "../sidecar-egress/examples.ts";

/** Every Gateway that a VirtualService names exists. */
export const virtualserviceGatewayReference: Rule<"VirtualService"> = {
	id: "virtualservice-gateway-reference",
	kind: "VirtualService",
	family: "hygiene",
	severity: "warning",
	reads: ["IstioGateway", "KubernetesGateway"],
	confirms: ["IstioGateway", "KubernetesGateway"],
	fixable: false,
	docs: {
		summary: "A VirtualService must name Gateways that exist",
		why: "Istio ignores a Gateway that does not exist without a word: the routes for it are dead, and traffic takes another way than the one that the VirtualService describes.",
		fix: "Correct the name, write NAMESPACE/NAME for a Gateway of another namespace, or remove the reference. In the same apply the Gateway may simply come later.",
		sources: [
			"istio/istio pkg/config/analysis/analyzers/virtualservice/gateways.go (IST0101)",
			"istio/istio pilot/pkg/model/config.go: resolveGatewayName",
		],
		since: "0.1.0",
		good: ingressRoute,
		bad: egressRoute,
		given: [teamNamespace, ingressGateway],
	},
	*check(route, context) {
		yield* missingGateways(route, context.namespace, context.inventory);
	},
};
