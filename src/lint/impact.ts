import type { Inventory } from "../core/inventory.ts";
import type { Judgement } from "./judge.ts";
import type { NamespaceImpact } from "./report.ts";

/** A judgement, and the world that it was reached in. */
export interface Judged {
	readonly judgement: Judgement;
	readonly world: Inventory;
}

/** The namespaces in which an assumption changes the number of errors, or what follows from them; most new errors first. */
export function impactOf(now: Judged, assumed: Judged): readonly NamespaceImpact[] {
	const errorsNow = errorsByNamespace(now.judgement);
	const errorsAssumed = errorsByNamespace(assumed.judgement);
	const added = (each: NamespaceImpact): number => each.assumed.errors - each.now.errors;
	return [...new Set([...errorsNow.keys(), ...errorsAssumed.keys()])]
		.map((namespace) => ({
			namespace,
			now: { mode: now.world.policy(namespace).mode, errors: errorsNow.get(namespace) ?? 0 },
			assumed: { mode: assumed.world.policy(namespace).mode, errors: errorsAssumed.get(namespace) ?? 0 },
		}))
		.filter((each) => added(each) !== 0 || each.now.mode !== each.assumed.mode)
		.toSorted((one, other) => added(other) - added(one) || (one.namespace < other.namespace ? -1 : 1));
}

/** Errors on objects of a namespace; what a Namespace says of itself does not follow from its policy. */
function errorsByNamespace({ report }: Judgement): ReadonlyMap<string, number> {
	const counts = new Map<string, number>();
	for (const { severity, object } of report.findings) {
		if (severity === "error" && object.namespace !== null) {
			counts.set(object.namespace, (counts.get(object.namespace) ?? 0) + 1);
		}
	}
	return counts;
}
