import type { Path } from "../core/finding.ts";
import { formatPath } from "../core/finding.ts";
import { leavesOf } from "./fields.ts";
import type { InputObject } from "./input-object.ts";

/** What became of a construct: it lives on elsewhere, ambient does it by itself, or it is lost for a reason. */
export type Outcome = "carried" | "implied" | "not carried";

/** One field of an input object and what became of it. */
export interface LedgerEntry {
	readonly input: InputObject;
	readonly path: string;
	readonly outcome: Outcome;
	/** Where it lives on, why it is not needed any more, or why it was not carried. */
	readonly note: string;
}

/** What a step of the migration says became of everything at and below a path. */
export interface NotedOutcome {
	readonly input: InputObject;
	readonly path: Path;
	readonly outcome: Outcome;
	readonly note: string;
}

/** The reason that stands for a field which nobody thought of: such a field is reported and never silently dropped. */
export const unaccounted = "Waymark does not know this field, look at it by hand";

/** The outcomes that one step writes down. */
export class Ledger {
	readonly #outcomes: NotedOutcome[] = [];

	/** Says what became of everything at and below a path. */
	note(input: InputObject, path: Path, outcome: Outcome, note: string): void {
		this.#outcomes.push({ input, path, outcome, note });
	}

	get outcomes(): readonly NotedOutcome[] {
		return this.#outcomes;
	}
}

/**
 * What became of every field of the objects, in their order: the longest path that was noted wins, then the last word;
 * whatever nobody speaks for is `not carried`.
 */
export function ledgerOf(
	inputs: readonly InputObject[],
	outcomes: readonly NotedOutcome[],
): readonly LedgerEntry[] {
	const byInput = Map.groupBy(outcomes, ({ input }) => input);
	return inputs.flatMap((input) => {
		const own = byInput.get(input) ?? [];
		return [...leavesOf(input.object)].map((path) => {
			const best = bestOutcome(own, path);
			return {
				input,
				path: formatPath(path),
				outcome: best?.outcome ?? ("not carried" as const),
				note: best?.note ?? unaccounted,
			};
		});
	});
}

function bestOutcome(outcomes: readonly NotedOutcome[], path: Path): NotedOutcome | undefined {
	let best: NotedOutcome | undefined;
	for (const each of outcomes) {
		const covers = each.path.length <= path.length && each.path.every((step, index) => step === path[index]);
		if (covers && each.path.length >= (best?.path.length ?? 0)) {
			best = each;
		}
	}
	return best;
}
