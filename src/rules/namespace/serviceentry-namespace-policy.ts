import { annotationPrefix } from "../../core/annotations.ts";
import { mention } from "../../core/finding.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withAnnotations } from "../examples.ts";

/** Whether an annotation of the namespace cannot be read. */
function hasMalformedPolicy(_entry: object, { policy }: RuleContext): boolean {
	return policy.problems.length > 0;
}

/** The policy of a ServiceEntry's namespace can be read. */
export const serviceentryNamespacePolicy: Rule<"ServiceEntry"> = {
	id: "serviceentry-namespace-policy",
	kind: "ServiceEntry",
	family: "namespace",
	severity: "error",
	reads: ["Namespace"],
	fixable: false,
	docs: {
		summary: "The policy annotations of a ServiceEntry's namespace must be readable",
		why: "A malformed annotation is refused when it is written. One that was written while the webhook was away would silently allow what it was meant to forbid, so no ServiceEntry is accepted in the namespace until it is fixed.",
		fix: "Fix the annotation on the namespace; the message says what it accepts.",
		sources: ["docs/policies.md"],
		since: "0.1.0",
		good: { ...boundEntry, metadata: { ...boundEntry.metadata, namespace: "other" } },
		bad: boundEntry,
		given: [
			withAnnotations(teamNamespace, {
				"egress.waymark.dev/waypoint": "istio-egress/egress",
				"egress.waymark.dev/allowed-ports": "443, https",
			}),
			egressNamespace,
			egressWaypoint,
		],
	},
	when: hasMalformedPolicy,
	*check(_entry, { policy }) {
		for (const problem of policy.problems) {
			yield {
				path: ["metadata", "namespace"],
				message: `Namespace ${mention(policy.namespace)} has the malformed annotation ${mention(annotationPrefix + problem.annotation)}, which ${problem.message}`,
				hint: `On the namespace: ${problem.hint}`,
			};
		}
	},
	cel: {
		problems: [
			{
				each: ["k", "variables.malformed"],
				when: "true",
				path: "metadata.namespace",
				message: "Namespace {request.namespace} has the malformed annotation {k}",
				hint: "Fix it on the namespace",
				isAboutWhole: true,
			},
		],
	},
};
