import type { Absence } from "../core/absence.ts";
import type { IndexName } from "../core/indexes.ts";
import { kindOfIndex } from "../core/indexes.ts";
import type { Inventory } from "../core/inventory.ts";
import type { Kind, Resources } from "../core/kinds.ts";
import type { MeshFacts } from "../core/mesh.ts";
import type { Policy } from "../core/policy.ts";
import type { Settings } from "../core/settings.ts";

/** Passes every question on, and remembers which objects of kinds without a watch the answers rest on. */
export class StaleReads implements Inventory {
	readonly #inner: Inventory;
	readonly #stale: ReadonlySet<Kind>;
	readonly #objects = new Map<string, Absence>();
	#hasSearched = false;

	constructor(inner: Inventory, stale: ReadonlySet<Kind>) {
		this.#inner = inner;
		this.#stale = stale;
	}

	/** The objects that were read by name: each can be read from the API server as well. */
	get objects(): readonly Absence[] {
		return [...this.#objects.values()];
	}

	/** Something was searched for: no direct read can say that nothing else matches by now. */
	get hasSearched(): boolean {
		return this.#hasSearched;
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
		if (object !== undefined) {
			this.#note(kind, namespace, name);
		}
		return object;
	}

	inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]> {
		this.#hasSearched ||= this.#stale.has(kind);
		return this.#inner.inNamespace(kind, namespace);
	}

	all<K extends Kind>(kind: K): Iterable<Resources[K]> {
		this.#hasSearched ||= this.#stale.has(kind);
		return this.#inner.all(kind);
	}

	lookup<I extends IndexName>(index: I, key: string): ReturnType<Inventory["lookup"]> & Iterable<never> {
		this.#hasSearched ||= this.#stale.has(kindOfIndex(index));
		return this.#inner.lookup(index, key) as Iterable<never>;
	}

	policy(namespace: string): Policy {
		const policy = this.#inner.policy(namespace);
		if (policy.isKnown) {
			this.#note("Namespace", "", namespace);
		}
		return policy;
	}

	#note(kind: Kind, namespace: string, name: string): void {
		if (this.#stale.has(kind)) {
			this.#objects.set(`${kind}/${namespace}/${name}`, { kind, namespace, name });
		}
	}
}
