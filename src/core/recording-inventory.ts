import type { Absence } from "./absence.ts";
import type { AbsenceRecord } from "./facts.ts";
import type { Kind, Resources } from "./kinds.ts";
import { PassingInventory } from "./passing-inventory.ts";

/** Passes every question on and remembers which objects were asked for and not found since the last `begin`. */
export class RecordingInventory extends PassingInventory implements AbsenceRecord {
	#missing: Absence[] = [];

	/** Forgets what was missing: another rule begins. */
	begin(): void {
		if (this.#missing.length > 0) {
			this.#missing = [];
		}
	}

	get missing(): number {
		return this.#missing.length;
	}

	absences(): readonly Absence[] {
		return this.#missing;
	}

	addAbsences(missing: readonly Absence[]): void {
		for (const each of missing) {
			this.#missing.push(each);
		}
	}

	override get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined {
		const object = this.inner.get(kind, namespace, name);
		if (object === undefined) {
			this.#missing.push({ kind, namespace, name });
		}
		return object;
	}
}
