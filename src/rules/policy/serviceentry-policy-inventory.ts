import { annotationPrefix, entryAnnotations, readEntryAnnotations } from "../../core/annotations.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { borderConfirms, borderReads, isGoverned } from "../../istio/entry/border.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withAnnotations } from "../examples.ts";

function isAsked(_object: object, { inventory }: RuleContext): boolean {
	return inventory.settings.inventory.require.length > 0;
}

/** What the configuration requires of every way out, an external ServiceEntry says of itself. */
export const serviceentryPolicyInventory: Rule<"ServiceEntry"> = {
	id: "serviceentry-policy-inventory",
	kind: "ServiceEntry",
	family: "policy",
	severity: "error",
	reads: ["Namespace", ...borderReads],
	confirms: borderConfirms,
	fixable: false,
	docs: {
		summary:
			"An external ServiceEntry must say by its annotations what the configuration requires under inventory.require",
		why: "The traffic flows without them. But a way out of which nobody knows the owner, the reason or when it is looked at again stays open for ever, and the inventory cannot answer an audit.",
		fix: "Write the annotations egress.waymark.dev/owner, ticket, reason or review-by (YYYY-MM-DD) that the message names. A review date that has passed is a warning: look at the entry, and set the next one.",
		sources: ["docs/inventory.md: For an audit"],
		since: "0.1.0",
		good: withAnnotations(boundEntry, {
			"egress.waymark.dev/owner": "payments team",
			"egress.waymark.dev/review-by": "2199-12-31",
		}),
		bad: withAnnotations(boundEntry, { "egress.waymark.dev/owner": "payments team" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		settings: { inventory: { require: ["owner", "review-by"] } },
	},
	when: isAsked,
	*check(entry, context) {
		const { require } = context.inventory.settings.inventory;
		if (require.length === 0 || !isGoverned(entry, context)) {
			return;
		}
		const { values, problems } = readEntryAnnotations(entry.metadata?.annotations ?? {}, context.namespace);
		for (const fact of require) {
			const name = annotationPrefix + fact;
			const path = ["metadata", "annotations", name];
			const value = values[fact];
			const problem = problems.find(({ annotation }) => annotation === fact);
			if (problem !== undefined) {
				yield { path, message: `Annotation ${name} ${problem.message}`, hint: problem.hint };
			} else if (value === undefined) {
				yield {
					path,
					message: `Annotation ${name} is missing, and the cluster requires it: ${entryAnnotations[fact].meaning}`,
					hint: `Write ${name} on the ServiceEntry`,
				};
			} else if (fact === "review-by" && value < context.today) {
				yield {
					path,
					severity: "warning",
					message: `The review of this way out was due by ${value}`,
					hint: `Look whether it is still needed, then set the next day in ${name}`,
				};
			}
		}
	},
};
