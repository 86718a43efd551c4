import type { Problem } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import { anyEntryKey } from "../../core/indexes.ts";
import type { AuthorizationPolicy } from "../../core/kinds.ts";
import { isPolicyEditor } from "../../core/policy-editors.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { isOnTrial } from "../../istio/attachment/authorization.ts";
import type { TargetedEntry } from "../../istio/attachment/targets.ts";
import {
	entriesAtSharedWaypoint,
	entryKey,
	targetedWaypoints,
	targetingConfirms,
	targetingReads,
	targetsOf,
	waypointKeys,
	waypointOfEntry,
} from "../../istio/attachment/targets.ts";
import { formatWaypoint } from "../../istio/waypoint/binding.ts";
import { developer, editors, readOnly, sharedWaypoint, toEntry } from "./examples.ts";
import { severityForTenants } from "./tenants.ts";

function ruling(action: string): AuthorizationPolicy {
	return {
		apiVersion: "security.istio.io/v1",
		kind: "AuthorizationPolicy",
		metadata: { name: "payments", namespace: "team" },
		spec: { targetRefs: [toEntry("payments")], action, rules: [{}] },
	};
}

/** A tenant's ALLOW does not join what is allowed at a shared waypoint. */
export const authorizationpolicySharedAllow: Rule<"AuthorizationPolicy"> = {
	id: "authorizationpolicy-shared-allow",
	kind: "AuthorizationPolicy",
	family: "attachment",
	severity: "error",
	reads: [...targetingReads, "AuthorizationPolicy"],
	confirms: targetingConfirms,
	fixable: false,
	comparesWithOld: true,
	docs: {
		summary:
			"An ALLOW policy for a ServiceEntry must not join those of a shared waypoint unless a policy editor writes it",
		why: "ALLOW policies are joined: a request passes where any of them allows it. So a policy that a team writes for its own ServiceEntry opens what the policy of the waypoint was to forbid, for that host. DENY and CUSTOM policies are asked first, and no ALLOW undoes them. Refused is who is no policy editor; where the configuration names none, it is a warning.",
		fix: "Write a DENY policy where the team wants to narrow what the waypoint allows, or ask the security team. What must hold whatever teams write belongs into a DENY policy of the waypoint.",
		sources: [
			"istio/istio pilot/pkg/model/authorization.go: ListAuthorizationPolicies",
			"istio.io docs: concepts/security#implicit-enablement",
		],
		since: "0.1.0",
		good: ruling("DENY"),
		bad: ruling("ALLOW"),
		given: [...sharedWaypoint, readOnly],
		settings: editors,
		requester: developer,
	},
	*check(policy, context) {
		if (allowsSomething(policy)) {
			yield* joinProblems(policy, context);
			yield* joinedProblems(policy, context);
		}
	},
};

/** Whether a policy lets something through; one without rules matches nothing. */
function allowsSomething(policy: AuthorizationPolicy): boolean {
	return (
		(policy.spec?.action ?? "ALLOW") === "ALLOW" &&
		(policy.spec?.rules ?? []).length > 0 &&
		!isOnTrial(policy)
	);
}

function* joinProblems(policy: AuthorizationPolicy, context: RuleContext): Iterable<Problem> {
	const severity = severityForTenants(context, policy);
	if (severity === undefined) {
		return;
	}
	for (const each of entriesAtSharedWaypoint(policy, context)) {
		const { target, entry, waypoint } = each;
		const ofWaypoint = allowAt(waypointKeys(waypoint, context.inventory), context);
		const other = ofWaypoint ?? allowAt([keyOf(each)], context);
		if (other !== undefined) {
			yield {
				path: target.path,
				severity: ofWaypoint === undefined ? "warning" : severity,
				message: `Joins AuthorizationPolicy ${nameOf(other)} at ${formatWaypoint(waypoint)}: a request to ServiceEntry ${mention(entry.metadata?.name ?? "")} passes where either of them allows it`,
				hint: "Narrow by action DENY, which no ALLOW undoes, or ask the security team to write it",
			};
		}
	}
}

/** What the security team is told that allows something at a waypoint where teams allow something themselves. */
function* joinedProblems(policy: AuthorizationPolicy, context: RuleContext): Iterable<Problem> {
	const { namespace, inventory, requester } = context;
	if (requester === undefined || !isPolicyEditor(requester, inventory.settings)) {
		return;
	}
	for (const { target } of targetedWaypoints(policy, context)) {
		const joining = joiningPolicies(namespace, target.name, context);
		if (joining.length > 0) {
			const names = joining.slice(0, 3).map(nameOf);
			yield {
				path: target.path,
				severity: "warning",
				message: `Is joined by ${joining.length} ALLOW ${joining.length === 1 ? "policy" : "policies"} of other namespaces for their own entries (${names.join(", ")}${joining.length > 3 ? ", …" : ""}): there a request passes where either allows it`,
				hint: "Say what must hold everywhere by action DENY, which no ALLOW undoes",
			};
		}
	}
}

function joiningPolicies(
	namespace: string,
	waypoint: string,
	{ inventory }: RuleContext,
): readonly AuthorizationPolicy[] {
	const found: AuthorizationPolicy[] = [];
	for (const other of inventory.lookup("authorizationPolicyByTarget", anyEntryKey)) {
		const place = other.metadata?.namespace ?? "";
		const isAt = targetsOf(other).some(({ kind, name }) => {
			const entry = kind === "ServiceEntry" ? inventory.get("ServiceEntry", place, name) : undefined;
			const asked = entry === undefined ? undefined : waypointOfEntry(entry, inventory);
			return asked?.namespace === namespace && asked.name === waypoint;
		});
		if (place !== namespace && allowsSomething(other) && isAt) {
			found.push(other);
		}
	}
	return found;
}

function keyOf({ entry }: TargetedEntry): string {
	return entryKey(entry.metadata?.namespace ?? "", entry.metadata?.name ?? "");
}

/** Another ALLOW policy under one of these keys. */
function allowAt(
	keys: readonly string[],
	{ namespace, name, inventory }: RuleContext,
): AuthorizationPolicy | undefined {
	for (const key of keys) {
		for (const other of inventory.lookup("authorizationPolicyByTarget", key)) {
			const isSelf = other.metadata?.namespace === namespace && other.metadata.name === name;
			if (!isSelf && (other.spec?.action ?? "ALLOW") === "ALLOW" && !isOnTrial(other)) {
				return other;
			}
		}
	}
	return undefined;
}

function nameOf({ metadata }: AuthorizationPolicy): string {
	return mention(`${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`);
}
