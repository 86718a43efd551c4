import {
	exampleSubject,
	exampleDay as examplesDay,
	gapsBeside,
	verdictOnExample,
	worldOf,
	worldOfExample,
} from "../../src/cli/rule-example.ts";
import type { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import type { Subject, Verdict } from "../../src/core/evaluate.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { Finding } from "../../src/core/finding.ts";
import type { Inventory } from "../../src/core/inventory.ts";
import type { AnyObject } from "../../src/core/kinds.ts";
import type { Rule } from "../../src/core/rule.ts";
import type { SettingsFile } from "../../src/core/settings.ts";

/** A fixed day, so that examples with dates mean the same for ever. */
export const exampleDay: string = examplesDay;

/** A world of these objects. */
export function world(objects: readonly AnyObject[] = [], settings: SettingsFile = {}): ClusterState {
	return worldOf(objects, settings);
}

/** What is judged when an object is created or, with `old`, updated. */
export function subjectOf(object: AnyObject, old?: AnyObject): Subject {
	return exampleSubject(object, old);
}

/** The cluster of a rule's examples. */
export function exampleWorld(rule: Rule): ClusterState {
	return worldOfExample(rule);
}

/** The verdict of one rule on an object in the cluster of the rule's own examples. */
export function judgeExample(rule: Rule, object: AnyObject, inventory?: Inventory): Verdict {
	return verdictOnExample(rule, object, inventory);
}

/** Where policies are not kept in a world with the object, for a rule that asks. */
export function gapsAround(rule: Rule, object: AnyObject, inventory: Inventory): Pick<Subject, "gaps"> {
	return gapsBeside(rule, object, inventory);
}

/** The findings of one rule on an object in the cluster of the rule's own examples. */
export function findExample(rule: Rule, object: AnyObject): readonly Finding[] {
	const verdict = judgeExample(rule, object);
	if (verdict.faults[0] !== undefined) {
		throw verdict.faults[0].error;
	}
	return verdict.findings;
}

/** The findings of rules on an object in a world. */
export function findings(
	rules: readonly Rule<never>[] | readonly Rule[],
	object: AnyObject,
	given: readonly AnyObject[] = [],
	options: { readonly settings?: SettingsFile; readonly old?: AnyObject } = {},
): readonly Finding[] {
	const verdict = evaluate(
		createEngine(rules as readonly Rule[]),
		world(given, options.settings),
		subjectOf(object, options.old),
	);
	if (verdict.faults[0] !== undefined) {
		throw verdict.faults[0].error;
	}
	return verdict.findings;
}
