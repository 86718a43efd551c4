import type { Rule } from "../../core/rule.ts";
import { workloadEvidence } from "../../istio/egress/objects.ts";
import { egressServiceReads, egressSeverity } from "../../istio/egress/services.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";
import { noPlace, selectsGateway } from "./cel.ts";
import { originationRule } from "./examples.ts";

/** A DestinationRule is not limited to the pods of an egress gateway where ambient is enforced. */
export const destinationruleEgressWorkload: Rule<"DestinationRule"> = {
	id: "destinationrule-egress-workload",
	kind: "DestinationRule",
	family: "sidecar-egress",
	severity: "error",
	reads: [...egressServiceReads, "Namespace"],
	fixable: false,
	docs: {
		summary: "A DestinationRule must not be limited to an egress gateway's pods where ambient is enforced",
		why: "No traffic of an ambient namespace passes those pods, and a waypoint ignores the selector: the rule then applies to everybody, which is not what it says.",
		fix: "Remove the workloadSelector; the rule then works at the waypoint in whose namespace, or in the ServiceEntry's, it stands. A credentialName must name a Secret in the waypoint's namespace.",
		sources: ["istio/istio pilot/pkg/model/push_context.go: destinationRule (no selector for a waypoint)"],
		since: "0.1.0",
		good: originationRule,
		bad: {
			...originationRule,
			spec: { ...originationRule.spec, workloadSelector: { matchLabels: { istio: "egressgateway" } } },
		},
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	*check(rule, context) {
		for (const evidence of workloadEvidence(rule, context.inventory)) {
			yield {
				...evidence,
				hint: "Remove the workloadSelector, so that the rule works at the waypoint",
				...egressSeverity(context.policy),
			};
		}
	},
	cel: selectsGateway(
		"spec.workloadSelector",
		`Holds only for the pods of ${noPlace}`,
		"Remove the workloadSelector, so that the rule works at the waypoint",
	),
};
