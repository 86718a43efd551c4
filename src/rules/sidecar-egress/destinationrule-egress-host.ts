import type { Rule } from "../../core/rule.ts";
import { hostEvidence } from "../../istio/egress/objects.ts";
import { egressSeverity, insteadHint } from "../../istio/egress/services.ts";
import { virtualServiceReads } from "../../istio/egress/virtual-services.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";
import { leadsToGateway } from "./cel.ts";
import { egressSubset, originationRule } from "./examples.ts";

/** A DestinationRule is not for an egress gateway's Service where ambient is enforced. */
export const destinationruleEgressHost: Rule<"DestinationRule"> = {
	id: "destinationrule-egress-host",
	kind: "DestinationRule",
	family: "sidecar-egress",
	severity: "error",
	reads: virtualServiceReads,
	confirms: ["Service", "KubernetesGateway"],
	fixable: false,
	docs: {
		summary: "A DestinationRule must not be for the Service of an egress gateway where ambient is enforced",
		why: "It shapes the hop from the sidecars to the egress gateway, which does not exist in ambient. A DestinationRule for the external host itself, such as one that originates TLS, stays and works at the waypoint.",
		fix: "Delete it; what it said about connections belongs in a DestinationRule for the external host.",
		sources: [
			"istio.io docs: tasks/traffic-management/egress/egress-gateway (the subset for the gateway's Service)",
			"istio.io docs: ambient/usage/egress-gateway (TLS origination on the host's own DestinationRule)",
		],
		since: "0.1.0",
		good: originationRule,
		bad: egressSubset,
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	*check(rule, context) {
		for (const evidence of hostEvidence(rule, context.namespace, context.inventory)) {
			yield {
				...evidence,
				hint: insteadHint(context, "Delete this DestinationRule"),
				...egressSeverity(context.policy),
			};
		}
	},
	cel: leadsToGateway("spec.host", "Is for", "Delete this DestinationRule"),
};
