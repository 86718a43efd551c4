import type { IndexName } from "../../src/core/indexes.ts";
import { kindOfIndex } from "../../src/core/indexes.ts";
import type { Inventory } from "../../src/core/inventory.ts";
import type { Kind } from "../../src/core/kinds.ts";

/** The kinds that were asked for, in any way and by name. */
export interface Questions {
	readonly any: Set<Kind>;
	readonly byName: Set<Kind>;
}

/** An inventory that answers as another one does, and notes what it is asked. */
export function recordedInventory(inner: Inventory, { any, byName }: Questions): Inventory {
	const world: Inventory = {
		settings: inner.settings,
		mesh: inner.mesh,
		offline: inner.offline,
		get: (kind, namespace, name) => {
			any.add(kind);
			byName.add(kind);
			return inner.get(kind, namespace, name);
		},
		inNamespace: (kind, namespace) => {
			any.add(kind);
			return inner.inNamespace(kind, namespace);
		},
		all: (kind) => {
			any.add(kind);
			return inner.all(kind);
		},
		lookup: (index: IndexName, key: string) => {
			any.add(kindOfIndex(index));
			return inner.lookup(index, key) as Iterable<never>;
		},
		policy: (namespace) => inner.policy(namespace),
		know: (fact, about) => fact(about, world),
	};
	return world;
}
