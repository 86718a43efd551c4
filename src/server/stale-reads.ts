import type { Absence } from "../core/absence.ts";
import type { IndexName } from "../core/indexes.ts";
import { kindOfIndex } from "../core/indexes.ts";
import type { Inventory } from "../core/inventory.ts";
import type { Kind, Resources } from "../core/kinds.ts";
import { PassingInventory } from "../core/passing-inventory.ts";
import type { Policy } from "../core/policy.ts";

/** Passes every question on, and remembers which objects of kinds without a watch the answers rest on. */
export class StaleReads extends PassingInventory {
	readonly #stale: ReadonlySet<Kind>;
	readonly #objects = new Map<string, Absence>();
	#hasSearched = false;

	constructor(inner: Inventory, stale: ReadonlySet<Kind>) {
		super(inner);
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

	override get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined {
		const object = this.inner.get(kind, namespace, name);
		if (object !== undefined) {
			this.#note(kind, namespace, name);
		}
		return object;
	}

	override inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]> {
		this.#hasSearched ||= this.#stale.has(kind);
		return this.inner.inNamespace(kind, namespace);
	}

	override all<K extends Kind>(kind: K): Iterable<Resources[K]> {
		this.#hasSearched ||= this.#stale.has(kind);
		return this.inner.all(kind);
	}

	override lookup<I extends IndexName>(
		index: I,
		key: string,
	): ReturnType<Inventory["lookup"]> & Iterable<never> {
		this.#hasSearched ||= this.#stale.has(kindOfIndex(index));
		return this.inner.lookup(index, key) as Iterable<never>;
	}

	override policy(namespace: string): Policy {
		const policy = this.inner.policy(namespace);
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
