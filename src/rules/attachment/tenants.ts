import type { Severity } from "../../core/finding.ts";
import { isPolicyEditor } from "../../core/policy-editors.ts";
import type { RuleContext } from "../../core/rule.ts";

/**
 * How bad it is that somebody changes what holds at a waypoint for others: refused where the configuration names policy
 * editors and it is none of them, a warning where nobody knows who is meant to; undefined for an editor, who may.
 */
export function severityForTenants(
	{ requester, inventory, old }: RuleContext,
	object: object,
): Severity | undefined {
	const { settings } = inventory;
	if (isPolicyEditor(requester, settings)) {
		return undefined;
	}
	const isKnown = settings.policyEditors !== undefined && requester !== undefined;
	return isKnown && !saysTheSame(object, old) ? "error" : "warning";
}

/** Whether an update leaves alone what the object says, so that it adds nothing to what was admitted before. */
function saysTheSame(object: object, old: object | undefined): boolean {
	const specOf = (each: { readonly spec?: unknown }): string => JSON.stringify(each.spec ?? {});
	return old !== undefined && specOf(object) === specOf(old);
}
