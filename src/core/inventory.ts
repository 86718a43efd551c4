import type { Indexed, IndexName } from "./indexes.ts";
import type { Kind, Resources } from "./kinds.ts";
import type { MeshFacts } from "./mesh.ts";
import type { Policy } from "./policy.ts";
import type { Settings } from "./settings.ts";

/** Something that is worked out about an object of a world, or about a text; a pure function of both. */
export type WorldFact<T extends object | string, Answer> = (about: T, inventory: Inventory) => Answer;

/** What rules see of the cluster: synchronous, read-only, every look-up by key. */
export interface Inventory {
	readonly settings: Settings;
	readonly mesh: MeshFacts;
	/** The world was read from manifests: what controllers would write (a waypoint's status) is taken for granted. */
	readonly offline: boolean;
	/** The object, or undefined; `namespace` is "" for kinds without one. */
	get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined;
	/** Every object of a kind in one namespace. */
	inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]>;
	/** Every object of a kind: for the auditor and for trace; a rule looks up. */
	all<K extends Kind>(kind: K): Iterable<Resources[K]>;
	/** The objects that stand in an index under a key. */
	lookup<I extends IndexName>(index: I, key: string): Iterable<Resources[Indexed<I>]>;
	/** The policy of a namespace, of the cluster's defaults when the namespace is not known. */
	policy(namespace: string): Policy;
	/** What a fact says of an object or a text in this world; within a judgement it is worked out once. */
	know<T extends object | string, Answer>(fact: WorldFact<T, Answer>, about: T): Answer;
}

/** Whether a look-up finds anything at all. */
export function isAny(objects: Iterable<unknown>): boolean {
	for (const _ of objects) {
		return true;
	}
	return false;
}

/** The same world, but for what is given. */
export function alteredInventory(inventory: Inventory, altered: Partial<Inventory>): Inventory {
	const world: Inventory = {
		settings: inventory.settings,
		mesh: inventory.mesh,
		offline: inventory.offline,
		get: (kind, namespace, name) => inventory.get(kind, namespace, name),
		inNamespace: (kind, namespace) => inventory.inNamespace(kind, namespace),
		all: (kind) => inventory.all(kind),
		lookup: (index, key) => inventory.lookup(index, key),
		policy: (namespace) => inventory.policy(namespace),
		know: (fact, about) => fact(about, world),
		...altered,
	};
	return world;
}
