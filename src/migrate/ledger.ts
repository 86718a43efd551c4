import type { Path } from "../core/finding.ts";
import { formatPath } from "../core/finding.ts";
import type { Item } from "./item.ts";
import { leavesOf } from "./raw.ts";

/** What became of a construct: it lives on elsewhere, ambient does it by itself, or it is lost for a reason. */
export type Fate = "carried" | "implied" | "not carried";

/** One field of an input object and what became of it. */
export interface LedgerEntry {
	readonly item: Item;
	readonly path: string;
	readonly fate: Fate;
	/** Where it lives on, why it is not needed any more, or why it was not carried. */
	readonly note: string;
}

interface Note {
	readonly path: Path;
	readonly fate: Fate;
	readonly note: string;
}

/** The reason that stands for a field which nobody thought of: such a field is reported and never silently dropped. */
export const unaccounted = "Waymark does not know this field, look at it by hand";

/** What became of every field of every object of a bundle: whatever nobody speaks for is `not carried`. */
export class Ledger {
	readonly #notes = new Map<Item, Note[]>();

	/** Says what became of everything at and below a path; the longest path wins, then the last word. */
	note(item: Item, path: Path, fate: Fate, note: string): void {
		const notes = this.#notes.get(item) ?? [];
		notes.push({ path, fate, note });
		this.#notes.set(item, notes);
	}

	/** The fate of every field of the objects, in their order. */
	entries(items: readonly Item[]): readonly LedgerEntry[] {
		return items.flatMap((item) => {
			const notes = this.#notes.get(item) ?? [];
			return [...leavesOf(item.object)].map((path) => {
				const best = bestNote(notes, path);
				return {
					item,
					path: formatPath(path),
					fate: best?.fate ?? ("not carried" as const),
					note: best?.note ?? unaccounted,
				};
			});
		});
	}
}

function bestNote(notes: readonly Note[], path: Path): Note | undefined {
	let best: Note | undefined;
	for (const note of notes) {
		const covers = note.path.length <= path.length && note.path.every((step, index) => step === path[index]);
		if (covers && note.path.length >= (best?.path.length ?? 0)) {
			best = note;
		}
	}
	return best;
}
