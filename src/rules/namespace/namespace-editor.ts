import { annotationPrefix } from "../../core/annotations.ts";
import { quote } from "../../core/finding.ts";
import { isPolicyEditor } from "../../core/policy-editors.ts";
import type { Rule } from "../../core/rule.ts";
import { teamNamespace, withAnnotations } from "../examples.ts";

/** Only policy editors write the policy annotations of a namespace. */
export const namespaceEditor: Rule<"Namespace"> = {
	id: "namespace-editor",
	kind: "Namespace",
	family: "namespace",
	severity: "error",
	reads: [],
	fixable: false,
	comparesWithOld: true,
	docs: {
		summary: "Only policy editors may add, change or remove a namespace's egress.waymark.dev annotations",
		why: "Whoever may edit a namespace could otherwise loosen the policy that governs it. The cluster configuration names the users and groups that may.",
		fix: "Ask one of the policy editors, who are named under policyEditors in the cluster configuration.",
		sources: ["docs/policies.md"],
		since: "0.1.0",
		good: teamNamespace,
		bad: withAnnotations(teamNamespace, { "egress.waymark.dev/mode": "off" }),
		old: teamNamespace,
		settings: { policyEditors: { groups: ["security-team"] } },
		requester: { username: "mallory", groups: ["developers"] },
	},
	*check(namespace, { old, requester, inventory }) {
		const { settings } = inventory;
		if (
			settings.policyEditors === undefined ||
			requester === undefined ||
			isPolicyEditor(requester, settings)
		) {
			return;
		}
		const before = old?.metadata?.annotations ?? {};
		const after = namespace.metadata?.annotations ?? {};
		for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
			if (key.startsWith(annotationPrefix) && before[key] !== after[key]) {
				yield {
					path: ["metadata", "annotations", key],
					message: `User ${quote(requester.username)} is no policy editor and may not ${change(before[key], after[key])} it`,
					hint: "Ask a policy editor; the cluster configuration names them under policyEditors",
				};
			}
		}
	},
};

function change(before: string | undefined, after: string | undefined): string {
	if (before === undefined) {
		return "add";
	}
	return after === undefined ? "remove" : "change";
}
