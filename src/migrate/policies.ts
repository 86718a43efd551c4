import type { BoundEntry } from "./bound-entry.ts";
import { plainMetadata } from "./entries.ts";
import { fieldsOf, listOf, objectName, textOf, without } from "./fields.ts";
import { gatewayNamespaces, widePolicies } from "./gateway-policies.ts";
import type { InputObject, Output } from "./input-object.ts";
import { carriedRule, isAboutDestination } from "./policy-rules.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";

/** Policies on callers and on their tokens that stood at the egress gateway, attached to the ServiceEntries at the waypoint. */
export function movedPolicies(
	conversion: Conversion,
	entries: readonly BoundEntry[],
	inputs: readonly InputObject[],
): StepResult {
	const step = beginStep(conversion);
	const outputs = step.bundle.participants
		.filter(({ role }) => role === "policy")
		.flatMap(({ input }) => movePolicy(input, step, entries));
	noteWidePolicies(inputs, entries, step);
	return endStep(step, outputs);
}

function movePolicy(input: InputObject, step: Step, entries: readonly BoundEntry[]): readonly Output[] {
	const { ledger, notes } = step;
	if (entries.length === 0) {
		ledger.note(input, [], "not carried", "the bundle has no external host to which it could be attached");
		return [];
	}
	ledger.note(input, [], "carried", "attached to the ServiceEntries");
	ledger.note(input, ["metadata"], "carried", "under a new name");
	for (const field of ["selector", "targetRef", "targetRefs"]) {
		ledger.note(input, ["spec", field], "implied", "targetRefs name the ServiceEntries instead");
	}
	ledger.note(input, ["status"], "implied", "istiod writes it");
	const rules = listOf(fieldsOf(input.object.spec).rules).map(fieldsOf);
	if (rules.some((rule) => JSON.stringify(rule).includes("principals"))) {
		notes.push(
			`\`${input.namespace}/${input.name}\` names callers by identity: at the waypoint that is the calling workload's own, as it was at the gateway where the hop used ISTIO_MUTUAL.`,
		);
	}
	// What is said of hosts and ports means something else for each entry.
	const most = rules.some(isAboutDestination) ? 1 : mostTargets;
	const byNamespace = Map.groupBy(entries, (entry) => entry.namespace);
	return [...byNamespace].flatMap(([namespace, own]) =>
		groupsOf(own, most).flatMap((group, index) => policyFor(input, namespace, group, index, step) ?? []),
	);
}

const purposes: Readonly<Record<string, string>> = {
	AuthorizationPolicy: "who may use",
	RequestAuthentication: "which tokens are read on the way to",
};

/** At most 16 targetRefs go into one policy (istio.io/api security/v1 authorization_policy.proto). */
const mostTargets = 16;

function groupsOf(entries: readonly BoundEntry[], most: number): readonly (readonly BoundEntry[])[] {
	return Array.from({ length: Math.ceil(entries.length / most) }, (_, index) =>
		entries.slice(index * most, index * most + most),
	);
}

/** A policy at the waypoint for some entries; undefined when nothing of it was about them. */
function policyFor(
	input: InputObject,
	namespace: string,
	group: readonly BoundEntry[],
	index: number,
	step: Step,
): Output | undefined {
	const spec = fieldsOf(input.object.spec);
	const old = listOf(spec.rules).map(fieldsOf);
	const rules = old.flatMap((rule, at) => carriedRule(input, at, rule, group, step) ?? []);
	const action = textOf(spec.action) ?? "ALLOW";
	// ALLOW without a rule lets nobody in, as at the gateway; anything else without a rule does nothing.
	if (old.length > 0 && rules.length === 0 && action !== "ALLOW") {
		return undefined;
	}
	const targetRefs = group.map(({ name }) => ({
		group: "networking.istio.io",
		kind: "ServiceEntry",
		name,
	}));
	const suffix = objectName(group[0]?.name ?? "");
	const name = objectName(
		`${input.name.slice(0, 30)}-${suffix}${index === 0 || group.length === 1 ? "" : `-${index}`}`,
	);
	const { labels, annotations } = plainMetadata(input, step.ledger);
	return {
		stage: "1-add",
		object: {
			...without(input.object, "status"),
			metadata: {
				name,
				namespace,
				...(labels === undefined ? {} : { labels }),
				// The annotation istio.io/dry-run decides whether the policy denies anything.
				...(annotations === undefined ? {} : { annotations }),
			},
			spec: {
				...without(spec, "selector", "targetRef", "rules"),
				targetRefs,
				...(rules.length > 0 ? { rules } : {}),
			},
		},
		purpose: `${purposes[input.title] ?? "settings for"} ${group.flatMap((entry) => entry.hosts).join(", ")}`,
	};
}

/** What an object of a whole namespace was for at the gateway, and how the waypoint gets it. */
const instead: Readonly<Record<string, string>> = {
	ProxyConfig:
		"If the waypoint needs the same, write one whose selector is `gateway.networking.k8s.io/gateway-name: WAYPOINT`",
};

/**
 * Notes the objects without a selector that held at the egress gateway because they hold for its whole namespace or the
 * mesh: a waypoint does not have them.
 */
function noteWidePolicies(
	inputs: readonly InputObject[],
	entries: readonly BoundEntry[],
	{ bundle, inventory, ledger, notes }: Step,
): void {
	const waypoints = entries.map(({ waypoint }) => waypoint.namespace);
	const root = inventory.mesh.rootNamespace;
	for (const input of widePolicies(inputs, gatewayNamespaces(bundle.participants), waypoints, root)) {
		const where = input.namespace === root ? "the whole mesh" : "its whole namespace";
		const advice =
			instead[input.title] ?? "If it was meant for the way out, write it once more with targetRefs";
		const reason = "it held at the egress gateway, and the waypoint does not have it";
		ledger.note(input, [], "implied", "it stays as it is");
		ledger.note(input, ["spec"], "not carried", reason);
		notes.push(
			`${input.title} \`${input.namespace}/${input.name}\` holds for ${where}, so it held at the egress gateway too. It is left as it is, and the waypoint does not have it. ${advice}.`,
		);
	}
}
