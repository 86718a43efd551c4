import type { Basis } from "../admission/response.ts";
import type { Absence } from "../core/absence.ts";
import type { Engine } from "../core/engine.ts";
import type { Subject, Verdict } from "../core/evaluate.ts";
import { evaluate } from "../core/evaluate.ts";
import { isExemptNamespace } from "../core/exempt-namespaces.ts";
import type { Inventory } from "../core/inventory.ts";
import type { Kind } from "../core/kinds.ts";
import { kinds } from "../core/kinds.ts";
import { mostVerdictMs, spentAfter } from "./spent.ts";
import { StaleReads } from "./stale-reads.ts";

/** Reads objects from the API server, and corrects the inventory by what it finds. */
export type Confirm = (
	objects: readonly Absence[],
	deadlineMs: number,
) => Promise<{ readonly found: boolean; readonly unconfirmed: boolean }>;

/** Kinds without a watch, and for how long, in milliseconds. */
export interface StaleKinds {
	readonly kinds: ReadonlySet<Kind>;
	readonly ageMs: number;
}

/** What a review is judged by. */
export interface Grounds {
	readonly engine: Engine;
	readonly inventory: Inventory;
	/** Absent without a cluster: then the inventory is all there is. */
	readonly confirm?: Confirm;
	/** The kinds whose objects may have changed unseen; undefined while all are watched. */
	readonly stale?: () => StaleKinds | undefined;
	/** Told of every read on behalf of a review. */
	readonly onConfirm?: (result: "found" | "absent" | "failed") => void;
}

/** A verdict, and how far the cluster was there to be asked. */
export interface Judgement {
	readonly verdict: Verdict;
	readonly basis: Basis;
}

const certain: Basis = { isUnconfirmed: false, staleMs: undefined };

/** While the API server is known to be out of reach: long enough to notice that it is back. */
const staleReadMs = 200;

/**
 * Judges by the inventory alone where that is certain, and at once. Where a denial rests on what is missing, where the
 * namespace is unknown, or where a kind has no watch, the API server is asked first.
 * @param leftMs gives the milliseconds that asking may take
 * @returns undefined when nobody knows the namespace: then nothing is known of its policy either
 */
export function judge(
	grounds: Grounds,
	subject: Subject,
	leftMs: () => number,
): Judgement | Promise<Judgement | undefined> {
	const { engine, inventory, confirm } = grounds;
	if (confirm === undefined) {
		return { verdict: evaluate(engine, inventory, subject, spentAfter(mostVerdictMs)), basis: certain };
	}
	const stale = grounds.stale?.();
	const namespace = unknownNamespace(inventory, subject);
	if (namespace === undefined && stale === undefined) {
		const verdict = evaluate(engine, inventory, subject, spentAfter(mostVerdictMs));
		if (verdict.absences.length === 0) {
			return { verdict, basis: certain };
		}
	}
	const readMs = (): number => (stale === undefined ? leftMs() : Math.min(leftMs(), staleReadMs));
	return new Asking({ ...grounds, confirm }, subject, stale, readMs).judge(namespace);
}

function unknownNamespace(inventory: Inventory, { kind, namespace }: Subject): Absence | undefined {
	return kinds[kind].namespaced &&
		!isExemptNamespace(namespace, inventory.settings) &&
		inventory.get("Namespace", "", namespace) === undefined
		? { kind: "Namespace", namespace: "", name: namespace }
		: undefined;
}

/** A found object may name another that is missing: its Gateway's class, its namespace. Three rounds reach all. */
const mostRounds = 3;

/** One review for which the API server is asked; every object is read once. */
class Asking {
	readonly #grounds: Grounds & { readonly confirm: Confirm };
	readonly #subject: Subject;
	readonly #stale: StaleKinds | undefined;
	readonly #readMs: () => number;
	readonly #asked = new Set<string>();

	constructor(
		grounds: Grounds & { readonly confirm: Confirm },
		subject: Subject,
		stale: StaleKinds | undefined,
		readMs: () => number,
	) {
		this.#grounds = grounds;
		this.#subject = subject;
		this.#stale = stale;
		this.#readMs = readMs;
	}

	async judge(namespace: Absence | undefined): Promise<Judgement | undefined> {
		if (namespace !== undefined && (await this.#ask([namespace])).unconfirmed) {
			return undefined;
		}
		let isUnconfirmed = false;
		let isUnsure = false;
		for (let round = 0; ; round++) {
			const { verdict, reads } = this.#evaluate();
			const missing = this.#unasked(verdict.absences);
			const present = this.#unasked(reads?.objects ?? []);
			isUnsure ||= reads?.hasSearched === true;
			if (round === mostRounds || missing.length + present.length === 0) {
				const staleMs = isUnsure || present.length > 0 ? this.#stale?.ageMs : undefined;
				return { verdict, basis: { isUnconfirmed, staleMs } };
			}
			// One after the other, because what is missing decides between denial and allowance.
			isUnconfirmed = (await this.#ask(missing)).unconfirmed || isUnconfirmed;
			isUnsure = (await this.#ask(present)).unconfirmed || isUnsure;
		}
	}

	#evaluate(): { readonly verdict: Verdict; readonly reads: StaleReads | undefined } {
		const { engine, inventory } = this.#grounds;
		const reads = this.#stale === undefined ? undefined : new StaleReads(inventory, this.#stale.kinds);
		return { verdict: evaluate(engine, reads ?? inventory, this.#subject, spentAfter(mostVerdictMs)), reads };
	}

	#unasked(objects: readonly Absence[]): readonly Absence[] {
		return objects.filter((each) => !this.#asked.has(keyOf(each)));
	}

	async #ask(objects: readonly Absence[]): Promise<{ readonly unconfirmed: boolean }> {
		if (objects.length === 0) {
			return { unconfirmed: false };
		}
		for (const each of objects) {
			this.#asked.add(keyOf(each));
		}
		const { found, unconfirmed } = await this.#grounds.confirm(objects, this.#readMs());
		this.#grounds.onConfirm?.(unconfirmed ? "failed" : found ? "found" : "absent");
		return { unconfirmed };
	}
}

function keyOf({ kind, namespace, name }: Absence): string {
	return `${kind}/${namespace}/${name}`;
}
