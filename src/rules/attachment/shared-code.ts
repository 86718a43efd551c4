import type { Problem } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import { isPolicyEditor } from "../../core/policy-editors.ts";
import type { RuleContext } from "../../core/rule.ts";
import type { Attachable } from "../../istio/attachment/targets.ts";
import {
	entriesAtSharedWaypoint,
	isOpenToOthers,
	targetedWaypoints,
} from "../../istio/attachment/targets.ts";
import { formatWaypoint, isSameWaypoint } from "../../istio/waypoint/binding.ts";
import { severityForTenants } from "./tenants.ts";

/** Where a tenant's code would run in a waypoint that serves others, or that the policy names for the namespace. */
export function* codeProblems(object: Attachable, what: string, context: RuleContext): Iterable<Problem> {
	const severity = severityForTenants(context, object);
	if (severity === undefined) {
		return;
	}
	for (const { target, entry, waypoint } of entriesAtSharedWaypoint(object, context)) {
		yield {
			path: target.path,
			severity,
			message: `Runs ${what} of namespace ${mention(context.namespace)} in the waypoint ${formatWaypoint(waypoint)}, which is not its own, for ServiceEntry ${mention(entry.metadata?.name ?? "")}`,
			hint: "Ask the security team to write it, or let the application do it",
		};
	}
	yield* ownWaypointProblems(object, what, context);
}

/** The waypoint of a policy is nobody's but the editors', wherever it stands: code in it can take its policies away. */
export function* ownWaypointProblems(
	object: Attachable,
	what: string,
	context: RuleContext,
): Iterable<Problem> {
	const { namespace, inventory, requester, policy } = context;
	const { settings } = inventory;
	if (
		settings.policyEditors === undefined ||
		requester === undefined ||
		isPolicyEditor(requester, settings)
	) {
		return;
	}
	const severity = severityForTenants(context, object) ?? "warning";
	for (const { target, gateway } of targetedWaypoints(object, context)) {
		const reference = { namespace, name: target.name };
		const isPolicys =
			policy.waypointSource !== "namespace label" &&
			policy.waypoint !== undefined &&
			policy.waypoint !== "none" &&
			isSameWaypoint(policy.waypoint, reference);
		if (isPolicys || isOpenToOthers(gateway, inventory)) {
			yield {
				path: target.path,
				severity,
				message: `Runs ${what} in the waypoint ${formatWaypoint(reference)}, ${isPolicys ? "which the policy of this namespace names" : "which serves other namespaces too"}, where it can undo what policies say`,
				hint: "Ask the security team to write it",
			};
		}
	}
}
