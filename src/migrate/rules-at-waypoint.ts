import type { BoundEntry } from "./bound-entry.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, leavesOf, textOf } from "./fields.ts";
import type { InputObject, Output } from "./input-object.ts";
import { outputKey } from "./input-object.ts";
import type { PlacedRule } from "./rule-lookup.ts";
import { isRuleFor, rulesInForce } from "./rule-lookup.ts";
import type { Step } from "./step.ts";

/** A DestinationRule for one of the hosts for which the old gateway read it. */
export interface CarriedRule {
	readonly input: InputObject;
	readonly host: string;
	readonly entry: BoundEntry;
	/** Undefined where the rule stays as it is. */
	readonly output: Output | undefined;
	/** Why the waypoint would connect in plain text, if it would. */
	readonly lost: string | undefined;
}

interface RuleThere extends PlacedRule {
	/** The rule of the input that it is or continues; undefined for one that the migration made up. */
	readonly origin: InputObject | undefined;
}

/**
 * Says where the waypoint would read other DestinationRules for a host than the old gateway did: some of the input
 * that the gateway did not look at go before, or are merged with those that it did.
 */
export function noteRulesAtWaypoint(
	step: Step,
	entries: readonly BoundEntry[],
	carried: readonly CarriedRule[],
	assumed: readonly Output[],
): void {
	const written = [...carried.flatMap(({ output }) => output ?? []), ...assumed];
	const rules = step.bundle.participants.filter(({ role }) => role === "host rule").map(({ input }) => input);
	const continued = new Map(
		carried.flatMap(({ input, output }) => (output ? [[output, input] as const] : [])),
	);
	const keys = new Set(written.map(({ object }) => outputKey(object)));
	const staying = rules
		.filter((input) => !keys.has(`DestinationRule ${input.namespace}/${input.name}`))
		.map((input): RuleThere => ({ namespace: input.namespace, object: input.object, origin: input }));
	const there = [
		...staying,
		...written.map((output): RuleThere => {
			const namespace = textOf(fieldsOf(output.object.metadata).namespace) ?? "";
			return { namespace, object: output.object, origin: continued.get(output) };
		}),
	];
	const root = step.inventory.mesh.rootNamespace;
	for (const entry of entries) {
		const reader = {
			proxy: entry.waypoint.namespace,
			service: [entry.namespace],
			root,
			selects: () => false,
		};
		for (const host of entry.hosts.filter((each) => rules.some((rule) => isRuleFor(each, rule)))) {
			const wanted = new Set(step.bundle.rulesAtGateway.get(host));
			const found = rulesInForce(host, there, reader);
			compare(host, wanted, found, step);
		}
	}
}

function compare(
	host: string,
	wanted: ReadonlySet<InputObject>,
	found: readonly RuleThere[],
	step: Step,
): void {
	const foreign = found.flatMap(({ origin }) => (origin === undefined || wanted.has(origin) ? [] : [origin]));
	const missing = [...wanted].filter((input) => !found.some(({ origin }) => origin === input));
	const names = (inputs: readonly InputObject[]): string =>
		inputs.map(({ namespace, name }) => `${namespace}/${name}`).join(", ");
	for (const input of foreign) {
		const reason = `the waypoint reads it for ${host}, and the egress gateway ${wanted.size === 0 ? "did not" : `read ${names([...wanted])} instead`}: delete it, take the host out of it, or make both say the same`;
		noteOnce(input, reason, step);
	}
	for (const input of missing) {
		const reason = `the waypoint does not read it for ${host}${foreign.length > 0 ? `: ${names(foreign)} goes before it` : ""}`;
		noteOnce(input, reason, step);
	}
	noteMerged(host, found, step);
}

/** Of several rules for a host in one namespace, the oldest gives the settings of the host. */
function noteMerged(host: string, found: readonly RuleThere[], step: Step): void {
	const origins = found.flatMap(({ origin, namespace, object }) =>
		origin !== undefined && origin.namespace !== namespace && hasPolicy(object) ? [origin] : [],
	);
	if (found.filter(({ object }) => hasPolicy(object)).length > 1) {
		for (const input of origins) {
			const reason = `several DestinationRules for ${host} move to one namespace, where the oldest gives the host's settings: make one of them`;
			noteOnce(input, reason, step);
		}
	}
}

function hasPolicy(object: Fields): boolean {
	return fieldsOf(object.spec).trafficPolicy !== undefined;
}

function noteOnce(input: InputObject, reason: string, { ledger, notes }: Step): void {
	for (const path of leavesOf(input.object)) {
		if (path[0] === "spec") {
			ledger.note(input, path, "not carried", reason);
		}
	}
	notes.push(`DestinationRule \`${input.namespace}/${input.name}\`: ${reason}.`);
}
