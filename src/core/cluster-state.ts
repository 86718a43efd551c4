import type { Indexed, IndexName } from "./indexes.ts";
import { indexes, indexesOf } from "./indexes.ts";
import type { Inventory, WorldFact } from "./inventory.ts";
import type { Kind, Namespace, Resources } from "./kinds.ts";
import { allKinds } from "./kinds.ts";
import type { MeshFacts } from "./mesh.ts";
import { assumedMesh, meshOf } from "./mesh.ts";
import type { Policy } from "./policy.ts";
import { parsePolicy } from "./policy.ts";
import type { Settings } from "./settings.ts";
import { defaultSettings } from "./settings.ts";

const none: readonly never[] = [];

type Store = Map<string, Map<string, unknown>>;

// Most keys find one object, and a Set costs two hundred bytes: it is made for the second one.
type IndexEntries = Map<string, unknown>;

/** The one implementation of `Inventory`, fed by watches, YAML files or tests. */
export class ClusterState implements Inventory {
	readonly offline: boolean;
	#settings: Settings;
	#mesh: MeshFacts;
	#learned: Partial<MeshFacts> = {};
	readonly #objects: ReadonlyMap<Kind, Store> = new Map(allKinds.map((kind) => [kind, new Map()]));
	readonly #indexes: ReadonlyMap<string, IndexEntries> = new Map(
		Object.keys(indexes).map((name) => [name, new Map()]),
	);
	readonly #policies = new Map<string, Policy>();
	/** The policy of the last namespace that was asked for and is not known: files often come without theirs. */
	#unknown: Policy | undefined;

	constructor(settings: Settings = defaultSettings, options: { readonly offline?: boolean } = {}) {
		this.#settings = settings;
		this.#mesh = assumedMesh(settings);
		this.offline = options.offline ?? false;
	}

	get settings(): Settings {
		return this.#settings;
	}

	get mesh(): MeshFacts {
		return this.#mesh;
	}

	/** Takes new cluster settings and parses every policy anew. */
	configure(settings: Settings): void {
		this.#settings = settings;
		this.#mesh = meshOf(settings, this.#learned);
		this.#unknown = undefined;
		for (const namespace of this.all("Namespace")) {
			this.#readPolicy(namespace);
		}
	}

	/** Takes facts about the mesh that were read from the cluster; what the settings say goes before them. */
	learn(mesh: Partial<MeshFacts>): void {
		this.#learned = { ...this.#learned, ...mesh };
		this.#mesh = meshOf(this.#settings, this.#learned);
	}

	/** Adds an object or replaces the one of its namespace and name. */
	set<K extends Kind>(kind: K, object: Resources[K]): void {
		const namespace = object.metadata?.namespace ?? "";
		const name = object.metadata?.name ?? "";
		const store = this.#store(kind);
		let names = store.get(namespace);
		if (names === undefined) {
			names = new Map();
			store.set(namespace, names);
		}
		const before = names.get(name);
		if (before !== undefined) {
			this.#unindex(kind, before as Resources[K]);
		}
		names.set(name, object);
		this.#index(kind, object);
		if (kind === "Namespace") {
			this.#readPolicy(object as Namespace);
		}
	}

	/** Removes an object, if it is there. */
	delete(kind: Kind, namespace: string, name: string): void {
		const store = this.#store(kind);
		const names = store.get(namespace);
		const object = names?.get(name);
		if (names === undefined || object === undefined) {
			return;
		}
		this.#unindex(kind, object as Resources[typeof kind]);
		names.delete(name);
		if (names.size === 0) {
			store.delete(namespace);
		}
		if (kind === "Namespace") {
			this.#policies.delete(name);
		}
	}

	/** Makes the objects of a kind exactly these, in one step as seen by a reader. */
	replace<K extends Kind>(kind: K, objects: Iterable<Resources[K]>): void {
		const gone = new Map([...this.all(kind)].map((object) => [address(object), object]));
		for (const object of objects) {
			gone.delete(address(object));
			this.set(kind, object);
		}
		for (const object of gone.values()) {
			this.delete(kind, object.metadata?.namespace ?? "", object.metadata?.name ?? "");
		}
	}

	/** How many objects of a kind there are. */
	count(kind: Kind): number {
		let count = 0;
		for (const names of this.#store(kind).values()) {
			count += names.size;
		}
		return count;
	}

	get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined {
		return this.#store(kind).get(namespace)?.get(name) as Resources[K] | undefined;
	}

	inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]> {
		const names = this.#store(kind).get(namespace);
		return names === undefined ? none : (names.values() as Iterable<Resources[K]>);
	}

	*all<K extends Kind>(kind: K): Iterable<Resources[K]> {
		for (const names of this.#store(kind).values()) {
			yield* names.values() as Iterable<Resources[K]>;
		}
	}

	lookup<I extends IndexName>(name: I, key: string): Iterable<Resources[Indexed<I>]> {
		const found = this.#indexes.get(name)?.get(key);
		if (found === undefined) {
			return none;
		}
		const all: Iterable<unknown> = found instanceof Set ? found : [found];
		return all as Iterable<Resources[Indexed<I>]>;
	}

	policy(namespace: string): Policy {
		return this.#policies.get(namespace) ?? this.#policyOfUnknown(namespace);
	}

	know<T extends object | string, Answer>(fact: WorldFact<T, Answer>, about: T): Answer {
		return fact(about, this);
	}

	#policyOfUnknown(namespace: string): Policy {
		if (this.#unknown?.namespace !== namespace) {
			this.#unknown = parsePolicy(namespace, undefined, this.#settings);
		}
		return this.#unknown;
	}

	#readPolicy(namespace: Namespace): void {
		const name = namespace.metadata?.name ?? "";
		this.#policies.set(name, parsePolicy(name, namespace, this.#settings));
	}

	#store(kind: Kind): Store {
		const store = this.#objects.get(kind);
		if (store === undefined) {
			throw new Error(`Cannot find the store of ${kind}: no such kind`);
		}
		return store;
	}

	#index<K extends Kind>(kind: K, object: Resources[K]): void {
		for (const [entries, key] of this.#places(kind, object)) {
			const found = entries.get(key);
			if (found === undefined) {
				entries.set(key, object);
			} else if (found instanceof Set) {
				found.add(object);
			} else if (found !== object) {
				entries.set(key, new Set([found, object]));
			}
		}
	}

	#unindex<K extends Kind>(kind: K, object: Resources[K]): void {
		for (const [entries, key] of this.#places(kind, object)) {
			const found = entries.get(key);
			if (found instanceof Set) {
				found.delete(object);
			}
			if (found === object || (found instanceof Set && found.size === 0)) {
				entries.delete(key);
			}
		}
	}

	*#places<K extends Kind>(kind: K, object: Resources[K]): Iterable<[IndexEntries, string]> {
		for (const [name, { keys }] of indexesOf.get(kind) ?? none) {
			const entries = this.#indexes.get(name);
			if (entries !== undefined) {
				for (const key of keys(object)) {
					yield [entries, key];
				}
			}
		}
	}
}

function address(object: Resources[Kind]): string {
	return `${object.metadata?.namespace ?? ""}/${object.metadata?.name ?? ""}`;
}
