import type { Rule } from "../../core/rule.ts";
import { celSaysEgressGateway } from "../../istio/egress/names.ts";
import { egressSeverity, insteadHint } from "../../istio/egress/services.ts";
import { attachEvidence, virtualServiceReads } from "../../istio/egress/virtual-services.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";
import { instead, noPlace } from "./cel.ts";
import { egressGateway, egressRoute, ingressGateway, ingressRoute } from "./examples.ts";

/** A VirtualService does not attach to a Gateway of an egress gateway where ambient is enforced. */
export const virtualserviceEgressGateway: Rule<"VirtualService"> = {
	id: "virtualservice-egress-gateway",
	kind: "VirtualService",
	family: "sidecar-egress",
	severity: "error",
	reads: virtualServiceReads,
	confirms: ["Service", "KubernetesGateway", "IstioGateway", "VirtualService"],
	fixable: false,
	docs: {
		summary: "A VirtualService must not attach to the Gateway of an egress gateway where ambient is enforced",
		why: "The egress gateway's half of the route: it only works for traffic that sidecars send there, so in ambient it is dead configuration that reads like a control.",
		fix: "Bind the host's ServiceEntry to a waypoint and remove the gateway from this VirtualService, or the VirtualService altogether; `waymark migrate` writes the replacement.",
		sources: [
			"istio.io docs: tasks/traffic-management/egress/egress-gateway (the route from the gateway)",
			"istio/istio pilot/pkg/model/config.go: resolveGatewayName",
		],
		since: "0.1.0",
		good: ingressRoute,
		bad: egressRoute,
		given: [teamNamespace, egressNamespace, egressWaypoint, egressGateway, ingressGateway],
	},
	*check(route, context) {
		for (const evidence of attachEvidence(route, context.namespace, context.inventory)) {
			yield {
				...evidence,
				hint: insteadHint(context, "Remove this gateway and the routes that only it uses"),
				...egressSeverity(context.policy),
			};
		}
	},
	cel: {
		problems: [
			{
				each: ["g", "e.gateways"],
				when: "g.endsWith('/istio-egressgateway')",
				path: "spec.gateways",
				message: `Attaches to "{g}", a Gateway of ${noPlace}`,
				hint: `Remove this gateway and the routes that only it uses; ${instead}`,
			},
			{
				needs: "table",
				each: ["g", "e.gateways"],
				when: `params.spec.?egressGateways[?g].orValue(
  ${celSaysEgressGateway("g.substring(g.indexOf('/') + 1)")}) && !g.endsWith('/istio-egressgateway')`,
				path: "spec.gateways",
				message: `Attaches to "{g}", a Gateway of ${noPlace}`,
				hint: `Remove this gateway and the routes that only it uses; ${instead}`,
			},
		],
		gap: "a Gateway that only its use gives away, or one called istio-egressgateway that selects other pods: that is refused",
	},
};
