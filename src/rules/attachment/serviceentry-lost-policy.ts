import { annotationPrefix } from "../../core/annotations.ts";
import type { Problem } from "../../core/finding.ts";
import { mention, quote } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { IndexName } from "../../core/indexes.ts";
import { anyEntryKey } from "../../core/indexes.ts";
import type { Inventory } from "../../core/inventory.ts";
import { isAny } from "../../core/inventory.ts";
import type { AnyObject, ServiceEntry } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import type { Attachable } from "../../istio/attachment/targets.ts";
import { entryKey, targetsOf } from "../../istio/attachment/targets.ts";
import { borderConfirms, borderReads, leavesCluster } from "../../istio/entry/border.ts";
import { wildcardsAbove } from "../../istio/entry/hosts.ts";
import { httpEntry, sharedWaypoint, toEntry } from "./examples.ts";

const readOnlyPayments: AnyObject = {
	apiVersion: "security.istio.io/v1",
	kind: "AuthorizationPolicy",
	metadata: { name: "read-only", namespace: "team" },
	spec: {
		targetRefs: [toEntry("payments")],
		action: "ALLOW",
		rules: [{ to: [{ operation: { methods: ["GET"] } }] }],
	},
} as AnyObject;

/** The kinds of policies whose loss opens a host, and the index that finds them by target. */
const policyIndexes = [
	["AuthorizationPolicy", "authorizationPolicyByTarget"],
	["RequestAuthentication", "requestAuthenticationByTarget"],
] as const satisfies readonly (readonly [string, IndexName])[];

/** Whether some policy in the cluster stands on a ServiceEntry: most clusters have none. */
function somePolicyTargetsEntries(_: object, { inventory }: RuleContext): boolean {
	for (const [, index] of policyIndexes) {
		if (isAny(inventory.lookup(index, anyEntryKey))) {
			return true;
		}
	}
	return false;
}

/** An entry whose host is governed by a policy on another entry has a policy, too. */
export const serviceentryLostPolicy: Rule<"ServiceEntry"> = {
	id: "serviceentry-lost-policy",
	kind: "ServiceEntry",
	family: "attachment",
	severity: "warning",
	reads: ["ServiceEntry", "AuthorizationPolicy", "RequestAuthentication", ...borderReads],
	confirms: ["ServiceEntry", ...borderConfirms],
	fixable: false,
	docs: {
		summary: "An entry should not take a host from another one whose policies do not follow it",
		why: "A policy that targets a ServiceEntry holds for the connections that take that entry, and knows it by its name. Another entry for the same host, under a new name, in another namespace, or for a name below a wildcard, takes connections away from it, and the policy stays behind: requests are let through that it refused.",
		fix: "Let the policy target the new entry as well, or put it on the waypoint's Gateway, where it holds whatever entries are called.",
		sources: [
			"istio/istio pilot/pkg/model/policyattachment.go: ShouldAttachPolicy",
			"istio/istio pilot/pkg/serviceregistry/ambient/services.go: selectWorkloadServices",
		],
		since: "0.1.0",
		good: httpEntry,
		bad: { ...httpEntry, metadata: { ...httpEntry.metadata, name: "payments-2" } },
		given: [...sharedWaypoint, readOnlyPayments],
	},
	when: somePolicyTargetsEntries,
	*check(entry, context) {
		if (!leavesCluster(entry, context)) {
			return;
		}
		for (const [kind, index] of policyIndexes) {
			const own = first(context, index, entryKey(context.namespace, context.name ?? ""));
			if (own === undefined) {
				yield* leftBehind(entry, kind, index, context);
				yield* dangling(kind, index, context);
			} else {
				yield* givenUp(entry, `${kind} ${nameOf(own)}`, context);
			}
		}
	},
	*onDelete(entry, context) {
		for (const [kind, index] of policyIndexes) {
			const policy = first(context, index, entryKey(context.namespace, context.name ?? ""));
			if (policy !== undefined) {
				yield {
					path: ["metadata", "name"],
					message: `${kind} ${nameOf(policy)} targets ServiceEntry ${mention(context.name ?? "")} and holds nowhere without it, whatever other entry takes ${quote(entry.spec?.hosts?.[0] ?? "")}`,
					hint: "Let it target the entry that takes the host",
				};
			}
		}
	},
};

type PolicyIndex = (typeof policyIndexes)[number][1];

function first(
	{ inventory }: { readonly inventory: Inventory },
	index: PolicyIndex,
	key: string,
): Attachable | undefined {
	for (const policy of inventory.lookup(index, key)) {
		// What Waymark writes for each entry by itself is not lost: the next entry gets its own.
		if (policy.metadata?.labels?.[`${annotationPrefix}generated-from`] === undefined) {
			return policy;
		}
	}
	return undefined;
}

/** Where the entry takes a host, or a name below a wildcard, from one that a policy governs; each of those once. */
function* leftBehind(
	entry: ServiceEntry,
	kind: string,
	index: PolicyIndex,
	context: RuleContext,
): Iterable<Problem> {
	const seen = new Set<ServiceEntry>();
	for (const [place, host] of (entry.spec?.hosts ?? []).entries()) {
		const name = canonicalHost(host);
		for (const known of [name, ...wildcardsAbove(name)]) {
			for (const other of context.inventory.lookup("serviceEntryByHost", known)) {
				if (seen.has(other)) {
					continue;
				}
				seen.add(other);
				const policy = policyOn(other, index, context);
				if (policy !== undefined) {
					const how = known === name ? "as well" : `by ${quote(known)}`;
					yield {
						path: ["spec", "hosts", place],
						message: `${kind} ${nameOf(policy)} governs ${quote(host)} on ServiceEntry ${nameOf(other)}, which has it ${how}; none targets this entry, so what takes this one is not held to it`,
						hint: "Let the policy target this entry too, or the waypoint's Gateway",
					};
				}
			}
		}
	}
}

/** The hosts that an update takes from an entry that a policy governs: whatever has them next is not held to it. */
function* givenUp({ spec }: ServiceEntry, policy: string, { old, name }: RuleContext): Iterable<Problem> {
	const kept = new Set((spec?.hosts ?? []).map(canonicalHost));
	const before = (old as ServiceEntry | undefined)?.spec?.hosts ?? [];
	const gone = before.find((host) => !kept.has(canonicalHost(host)));
	if (gone !== undefined) {
		yield {
			path: ["spec", "hosts"],
			message: `${policy} governs ${quote(gone)} on ServiceEntry ${mention(name ?? "")}, which gives the host up: whatever other entry takes it is not held to the policy`,
			hint: "Let the policy target the entry that takes the host",
		};
	}
}

function policyOn(
	{ metadata }: ServiceEntry,
	index: PolicyIndex,
	context: RuleContext,
): Attachable | undefined {
	const { namespace = "", name = "" } = metadata ?? {};
	const isSelf = namespace === context.namespace && name === context.name;
	return isSelf ? undefined : first(context, index, entryKey(namespace ?? "", name ?? ""));
}

/** A policy of the namespace whose entry is gone when another one is written: as where an entry was renamed. */
function* dangling(kind: string, index: PolicyIndex, context: RuleContext): Iterable<Problem> {
	const { namespace, inventory, old, requester } = context;
	// What is stored is judged by the policy's own rule.
	if (old !== undefined || requester === undefined) {
		return;
	}
	for (const policy of inventory.lookup(index, `${namespace}/${anyEntryKey}`)) {
		const lost = targetsOf(policy).find(
			(target) =>
				target.kind === "ServiceEntry" && inventory.get("ServiceEntry", namespace, target.name) === undefined,
		);
		if (lost !== undefined) {
			yield {
				path: ["metadata", "name"],
				message: `${kind} ${nameOf(policy)} targets ServiceEntry ${mention(lost.name)}, which is not there, and none targets this entry: if it has another name now, the policy is lost`,
				hint: "Let the policy target this entry, or the waypoint's Gateway",
			};
			return;
		}
	}
}

function nameOf({ metadata }: AnyObject): string {
	return mention(`${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`);
}
