import type { Indexed, IndexName } from "./indexes.ts";
import { indexes } from "./indexes.ts";
import type { Inventory } from "./inventory.ts";
import { isAny } from "./inventory.ts";
import type { Kind, Namespace, Resources } from "./kinds.ts";
import { PassingInventory } from "./passing-inventory.ts";
import type { Policy } from "./policy.ts";
import { parsePolicy } from "./policy.ts";

/** Which object is another one, or is gone. */
export interface Change<K extends Kind = Kind> {
	readonly kind: K;
	readonly namespace: string;
	readonly name: string;
	/** What stands in its place; undefined where it is gone. */
	readonly object: Resources[K] | undefined;
}

/** The world as it would be after one change; nothing is copied. */
export class ChangedInventory extends PassingInventory {
	readonly #change: Change;
	/** Under which keys of an index the changed object stands. */
	readonly #keys = new Map<IndexName, ReadonlySet<string>>();

	constructor(inner: Inventory, change: Change) {
		super(inner);
		this.#change = change;
	}

	override get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined {
		const { kind: changed, object } = this.#change;
		return kind === changed && namespace === this.#change.namespace && name === this.#change.name
			? (object as Resources[K] | undefined)
			: this.inner.get(kind, namespace, name);
	}

	override *inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]> {
		yield* this.#changed(kind, this.inner.inNamespace(kind, namespace), namespace === this.#change.namespace);
	}

	override *all<K extends Kind>(kind: K): Iterable<Resources[K]> {
		yield* this.#changed(kind, this.inner.all(kind), true);
	}

	override lookup<I extends IndexName>(name: I, key: string): Iterable<Resources[Indexed<I>]> {
		const { kind } = indexes[name];
		const found = this.inner.lookup(name, key);
		if (kind !== this.#change.kind) {
			return found;
		}
		const isFound = this.#keysOf(name).has(key);
		// Tens of thousands of hosts may be looked up, under most of which nothing stands.
		return isFound || isAny(found) ? this.#changed(kind as Indexed<I>, found, isFound) : found;
	}

	#keysOf(name: IndexName): ReadonlySet<string> {
		let keys = this.#keys.get(name);
		if (keys === undefined) {
			const { object } = this.#change;
			const keysOf = indexes[name].keys as (object: Resources[Kind]) => Iterable<string>;
			keys = new Set(object === undefined ? [] : keysOf(object));
			this.#keys.set(name, keys);
		}
		return keys;
	}

	override policy(namespace: string): Policy {
		const { kind, name, object } = this.#change;
		return kind === "Namespace" && namespace === name
			? parsePolicy(name, object as Namespace | undefined, this.settings)
			: this.inner.policy(namespace);
	}

	*#changed<K extends Kind>(
		kind: K,
		objects: Iterable<Resources[K]>,
		isIncluded: boolean,
	): Iterable<Resources[K]> {
		const { kind: changed, namespace, name, object } = this.#change;
		for (const each of objects) {
			const { metadata } = each;
			if (kind !== changed || (metadata?.namespace ?? "") !== namespace || metadata?.name !== name) {
				yield each;
			}
		}
		if (kind === changed && isIncluded && object !== undefined) {
			yield object as Resources[K];
		}
	}
}
