import type { Rule } from "../../src/core/rule.ts";
import { rules } from "../../src/rules/table.ts";

/** The first of the rules whose examples stand in the same cluster as those of this one. */
export function firstOfWorld(rule: Rule): Rule {
	return firsts.get(worldText(rule)) ?? rule;
}

function worldText({ docs }: Rule): string {
	return JSON.stringify([docs.given, docs.settings, docs.mesh]);
}

const firsts: ReadonlyMap<string, Rule> = new Map(rules.toReversed().map((rule) => [worldText(rule), rule]));
