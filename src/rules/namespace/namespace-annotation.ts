import { annotationPrefix, exemptionPrefix } from "../../core/annotations.ts";
import type { Rule } from "../../core/rule.ts";
import { teamNamespace, withAnnotations } from "../examples.ts";

/** Every annotation of ours on a namespace is well-formed. */
export const namespaceAnnotation: Rule<"Namespace"> = {
	id: "namespace-annotation",
	kind: "Namespace",
	family: "namespace",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "Every egress.waymark.dev annotation of a namespace must be well-formed",
		why: "An annotation that cannot be read protects nothing. It is refused when it is written, whatever the namespace's mode, since its author is there to fix it.",
		fix: "Write the form that the message names.",
		sources: ["docs/policies.md"],
		since: "0.1.0",
		good: teamNamespace,
		bad: withAnnotations(teamNamespace, {
			"egress.waymark.dev/allowed-ports": "443/TLS 99999",
			"egress.waymark.dev/mode": "Enforce",
		}),
	},
	*check(_namespace, { policy, ruleIds }) {
		for (const problem of policy.problems) {
			yield {
				path: ["metadata", "annotations", annotationPrefix + problem.annotation],
				message: `${problem.message.charAt(0).toUpperCase()}${problem.message.slice(1)}`,
				hint: problem.hint,
			};
		}
		for (const id of policy.exemptions.keys()) {
			if (ruleIds.size > 1 && !ruleIds.has(id)) {
				yield {
					path: ["metadata", "annotations", annotationPrefix + exemptionPrefix + id],
					message: "Exempts from a rule that does not exist, so it has no effect",
					hint: "waymark rules lists the ids",
				};
			}
		}
	},
};
