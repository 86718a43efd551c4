import type { Absence } from "./absence.ts";
import type { AbsenceRecord } from "./facts.ts";
import type { Indexed, IndexName } from "./indexes.ts";
import type { Inventory } from "./inventory.ts";
import type { Kind, Resources } from "./kinds.ts";
import { PassingInventory } from "./passing-inventory.ts";
import type { IsSpent } from "./verdict-cut.ts";
import { VerdictCut } from "./verdict-cut.ts";

/** So many questions are asked between two looks at the clock; a plain entry asks a few dozen in all. */
const questionsBetween = 512;

/** So many absences are noted as they come; beyond them each is noted once. */
const mostRepeated = 1_024;

/**
 * Passes every question on and remembers which objects were asked for and not found since the last `begin`. Ends a
 * judgement that is spent at the next question.
 */
export class RecordingInventory extends PassingInventory implements AbsenceRecord {
	#missing: Absence[] = [];
	#noted: Set<string> | undefined;
	#questions = 0;
	readonly #isSpent: IsSpent | undefined;

	constructor(inner: Inventory, isSpent?: IsSpent) {
		super(inner);
		this.#isSpent = isSpent;
	}

	/** Forgets what was missing: another rule begins. */
	begin(): void {
		if (this.#missing.length > 0) {
			this.#missing = [];
			this.#noted = undefined;
		}
	}

	get missing(): number {
		return this.#missing.length;
	}

	absences(): readonly Absence[] {
		return this.#missing;
	}

	absencesSince(missing: number): readonly Absence[] {
		// One that came again was noted before.
		return this.#noted === undefined ? this.#missing.slice(missing) : this.#missing.slice();
	}

	addAbsences(missing: readonly Absence[]): void {
		for (const each of missing) {
			this.#note(each);
		}
	}

	override get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined {
		this.#count();
		const object = this.inner.get(kind, namespace, name);
		if (object === undefined) {
			this.#note({ kind, namespace, name });
		}
		return object;
	}

	override inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]> {
		this.#count();
		return this.inner.inNamespace(kind, namespace);
	}

	override lookup<I extends IndexName>(name: I, key: string): Iterable<Resources[Indexed<I>]> {
		this.#count();
		return this.inner.lookup(name, key);
	}

	#count(): void {
		if (++this.#questions % questionsBetween === 0 && this.#isSpent?.() === true) {
			throw new VerdictCut();
		}
	}

	#note(absence: Absence): void {
		if (this.#missing.length >= mostRepeated) {
			this.#noted ??= new Set(this.#missing.map(keyOf));
			const key = keyOf(absence);
			if (this.#noted.has(key)) {
				return;
			}
			this.#noted.add(key);
		}
		this.#missing.push(absence);
	}
}

function keyOf({ kind, namespace, name }: Absence): string {
	return `${kind}/${namespace}/${name}`;
}
