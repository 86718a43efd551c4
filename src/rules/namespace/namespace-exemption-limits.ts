import { annotationPrefix, exemptionPrefix } from "../../core/annotations.ts";
import { exemptionFaults } from "../../core/exemption-limits.ts";
import type { Rule } from "../../core/rule.ts";
import { teamNamespace, withAnnotations } from "../examples.ts";

const annotation = "egress.waymark.dev/exempt.serviceentry-policy-host";

/** The exemptions of a namespace say what the cluster configuration wants to know, and end when it says. */
export const namespaceExemptionLimits: Rule<"Namespace"> = {
	id: "namespace-exemption-limits",
	kind: "Namespace",
	family: "namespace",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "An exemption must name its owner and ticket, and end in time, where the configuration says so",
		why: "An exemption that nobody owns and that ends in ten years is a hole that nobody will close.",
		fix: "Add owner=TEXT or ticket=TEXT, or write an earlier day after until=.",
		sources: ["docs/policies.md"],
		since: "0.1.0",
		good: withAnnotations(teamNamespace, {
			[annotation]: "until=2026-12-31 reason=supplier moves owner=shop ticket=SEC-1234",
		}),
		bad: withAnnotations(teamNamespace, { [annotation]: "until=2199-12-31 reason=supplier moves" }),
		settings: { exemptions: { requireOwner: true, requireTicket: true, longestDays: 90 } },
	},
	*check(_namespace, { policy, today, inventory }) {
		const { exemptions } = inventory.settings;
		for (const [id, exemption] of policy.exemptions) {
			for (const { message, hint } of exemptionFaults(exemption, exemptions, today)) {
				yield {
					path: ["metadata", "annotations", annotationPrefix + exemptionPrefix + id],
					message,
					hint,
				};
			}
		}
	},
};
