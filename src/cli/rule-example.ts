import { ClusterState } from "../core/cluster-state.ts";
import { createEngine } from "../core/engine.ts";
import type { Subject, Verdict } from "../core/evaluate.ts";
import { evaluate } from "../core/evaluate.ts";
import type { Inventory } from "../core/inventory.ts";
import type { AnyObject, Kind, Resources } from "../core/kinds.ts";
import { allKinds, kindOfObject, kinds } from "../core/kinds.ts";
import type { Rule } from "../core/rule.ts";
import type { SettingsFile } from "../core/settings.ts";
import { parseSettings } from "../core/settings.ts";
import { findGaps } from "../reach/gaps.ts";
import { readReach } from "../reach/reach.ts";

/** A fixed day, so that examples with dates mean the same for ever. */
export const exampleDay = "2026-11-23";

/** A world of these objects. */
export function worldOf(objects: readonly AnyObject[] = [], settings: SettingsFile = {}): ClusterState {
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
export function exampleSubject(object: AnyObject, old?: AnyObject): Subject {
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
export function worldOfExample(rule: Rule): ClusterState {
	const state = worldOf(rule.docs.given, rule.docs.settings);
	state.learn(rule.docs.mesh ?? {});
	return state;
}

/** The verdict of one rule on an object in the cluster of the rule's own examples, or in another. */
export function verdictOnExample(
	rule: Rule,
	object: AnyObject,
	inventory: Inventory = worldOfExample(rule),
): Verdict {
	const { old, requester } = rule.docs;
	return evaluate(createEngine([rule]), inventory, {
		...exampleSubject(object, old),
		...gapsBeside(rule, object, inventory),
		...(requester === undefined ? {} : { requester }),
	});
}

/** Where policies are not kept in a world with the object, for a rule that asks. */
export function gapsBeside(rule: Rule, object: AnyObject, inventory: Inventory): Pick<Subject, "gaps"> {
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
