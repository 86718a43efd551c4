import { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import type { Subject, Verdict } from "../../src/core/evaluate.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { Finding } from "../../src/core/finding.ts";
import type { Inventory } from "../../src/core/inventory.ts";
import type { AnyObject, Kind, Resources } from "../../src/core/kinds.ts";
import { allKinds, kindOfObject, kinds } from "../../src/core/kinds.ts";
import type { Rule } from "../../src/core/rule.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { parseSettings } from "../../src/core/settings.ts";
import { findGaps } from "../../src/reach/gaps.ts";
import { readReach } from "../../src/reach/reach.ts";

/** A fixed day, so that examples with dates mean the same for ever. */
export const exampleDay = "2026-11-23";

/** A world of these objects. */
export function world(objects: readonly AnyObject[] = [], settings: SettingsFile = {}): ClusterState {
	const state = new ClusterState(parseSettings(settings).settings);
	for (const object of objects) {
		const kind = kindOfObject(object);
		if (kind === undefined) {
			throw new Error(`Cannot put ${object.kind} into the world: unknown kind`);
		}
		state.set(kind, object as Resources[Kind]);
	}
	return state;
}

/** What is judged when an object is created or, with `old`, updated. */
export function subjectOf(object: AnyObject, old?: AnyObject): Subject {
	const kind = kindOfObject(object);
	if (kind === undefined) {
		throw new Error(`Cannot judge ${object.kind}: unknown kind`);
	}
	return {
		kind,
		namespace: kinds[kind].namespaced ? (object.metadata?.namespace ?? "default") : "",
		name: object.metadata?.name ?? undefined,
		object,
		...(old === undefined ? {} : { old }),
		today: exampleDay,
	};
}

/** The cluster of a rule's examples. */
export function exampleWorld(rule: Rule): ClusterState {
	const state = world(rule.docs.given, rule.docs.settings);
	state.learn(rule.docs.mesh ?? {});
	return state;
}

/** The verdict of one rule on an object in the cluster of the rule's own examples. */
export function judgeExample(rule: Rule, object: AnyObject, inventory?: Inventory): Verdict {
	const { old, requester } = rule.docs;
	const surroundings = inventory ?? exampleWorld(rule);
	return evaluate(createEngine([rule]), surroundings, {
		...subjectOf(object, old),
		...gapsAround(rule, object, surroundings),
		...(requester === undefined ? {} : { requester }),
	});
}

/** Where policies are not kept in a world with the object, for a rule that asks. */
export function gapsAround(rule: Rule, object: AnyObject, inventory: Inventory): Pick<Subject, "gaps"> {
	const kind = kindOfObject(object);
	if (rule.asksGaps !== true || kind === undefined) {
		return {};
	}
	// As files are read: without a cluster nobody has allocated addresses, and nobody takes that for a gap.
	const state = new ClusterState(inventory.settings, { offline: true });
	for (const each of allKinds) {
		state.replace(each, inventory.all(each) as Iterable<never>);
	}
	state.set(kind, object as Resources[Kind]);
	return { gaps: findGaps(readReach(state, exampleDay)) };
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
