import type { Absence } from "./absence.ts";
import type { AbsenceRecord } from "./facts.ts";
import type { Indexed, IndexName } from "./indexes.ts";
import type { Inventory } from "./inventory.ts";
import type { Kind, Resources } from "./kinds.ts";
import type { MeshFacts } from "./mesh.ts";
import type { Policy } from "./policy.ts";
import type { Settings } from "./settings.ts";

/** Passes every question on and remembers which objects were asked for and not found since the last `begin`. */
export class RecordingInventory implements Inventory, AbsenceRecord {
	readonly #inner: Inventory;
	#missing: Absence[] = [];

	constructor(inner: Inventory) {
		this.#inner = inner;
	}

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

	get settings(): Settings {
		return this.#inner.settings;
	}

	get mesh(): MeshFacts {
		return this.#inner.mesh;
	}

	get offline(): boolean {
		return this.#inner.offline;
	}

	get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined {
		const object = this.#inner.get(kind, namespace, name);
		if (object === undefined) {
			this.#missing.push({ kind, namespace, name });
		}
		return object;
	}

	inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]> {
		return this.#inner.inNamespace(kind, namespace);
	}

	all<K extends Kind>(kind: K): Iterable<Resources[K]> {
		return this.#inner.all(kind);
	}

	lookup<I extends IndexName>(name: I, key: string): Iterable<Resources[Indexed<I>]> {
		return this.#inner.lookup(name, key);
	}

	policy(namespace: string): Policy {
		return this.#inner.policy(namespace);
	}
}
