import type { RuleList } from "./facts.ts";
import { listRules } from "./facts.ts";
import type { Kind } from "./kinds.ts";
import type { Rule } from "./rule.ts";

/** The rules, grouped by the kind they judge. */
export interface Engine {
	readonly rules: readonly Rule[];
	readonly byKind: ReadonlyMap<Kind, RuleList>;
	readonly ids: ReadonlySet<string>;
}

/** Groups rules once, at start. */
export function createEngine(rules: readonly Rule[]): Engine {
	const judged = new Set(rules.map((rule) => rule.kind));
	return {
		rules,
		byKind: new Map(
			[...judged].map((kind) => [
				kind,
				listRules(rules.filter((rule) => rule.kind === kind || rule.everyKind === true)),
			]),
		),
		ids: new Set(rules.map((rule) => rule.id)),
	};
}

/**
 * The part of an engine that `/mutate` needs: the rules that are fixed on admission, and those that look at the same
 * objects, for a fix may rest on one that the world lacks yet, and they are who notices its absence.
 */
export function fixingPart(engine: Engine): Engine {
	const needed = (rule: Rule): boolean => {
		const fixing = (engine.byKind.get(rule.kind)?.rules ?? []).filter(isFixedOnAdmission);
		const asked = new Set(fixing.flatMap((each) => each.confirms ?? []));
		// Every namespace is asked for in any case; without a Service a fix is made, and its own rule says so.
		const matters = (kind: Kind): boolean => kind !== "Namespace" && kind !== "Service" && asked.has(kind);
		return isFixedOnAdmission(rule) || (!rule.fixable && (rule.confirms ?? []).some(matters));
	};
	return { ...createEngine(engine.rules.filter(needed)), ids: engine.ids };
}

/** Whether the mutating webhook applies what a rule would fix; `lint --fix` applies the fixes of every rule. */
export function isFixedOnAdmission({ fixable, sentWhen }: Pick<Rule, "fixable" | "sentWhen">): boolean {
	return fixable && sentWhen !== undefined;
}
