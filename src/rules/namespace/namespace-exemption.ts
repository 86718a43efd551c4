import { annotationPrefix, exemptionPrefix } from "../../core/annotations.ts";
import { mention } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { teamNamespace, withAnnotations } from "../examples.ts";

/** The exemptions of a namespace have not run out. */
export const namespaceExemption: Rule<"Namespace"> = {
	id: "namespace-exemption",
	kind: "Namespace",
	family: "namespace",
	severity: "warning",
	reads: [],
	fixable: false,
	docs: {
		summary: "An exemption of a namespace should not have run out",
		why: "Past its date an exemption has no effect: the rule denies again. The annotation that is left behind makes a reader believe otherwise.",
		fix: "Remove the annotation, or agree on a new date with the security team.",
		sources: ["docs/policies.md"],
		since: "0.1.0",
		good: withAnnotations(teamNamespace, {
			"egress.waymark.dev/exempt.serviceentry-policy-host": "until=2199-12-31 reason=SEC-1234 supplier moves",
		}),
		bad: withAnnotations(teamNamespace, {
			"egress.waymark.dev/exempt.serviceentry-policy-host": "until=2026-01-31 reason=SEC-1234 supplier moves",
		}),
	},
	*check(_namespace, { policy, today }) {
		for (const [id, exemption] of policy.exemptions) {
			if (exemption.until < today) {
				yield {
					path: ["metadata", "annotations", annotationPrefix + exemptionPrefix + id],
					message: `Ran out on ${exemption.until}: the rule ${mention(id)} denies again in this namespace`,
					hint: "Remove the annotation, or agree on a new date",
				};
			}
		}
	},
};
