import type { Indexed, IndexName } from "./indexes.ts";
import type { Inventory, WorldFact } from "./inventory.ts";
import type { Kind, Resources } from "./kinds.ts";
import type { MeshFacts } from "./mesh.ts";
import type { Policy } from "./policy.ts";
import type { Settings } from "./settings.ts";

/** Passes every question on as the world stands when it is asked; who extends it says what is another with its own. */
export class PassingInventory implements Inventory {
	protected readonly inner: Inventory;

	constructor(inner: Inventory) {
		this.inner = inner;
	}

	get settings(): Settings {
		return this.inner.settings;
	}

	get mesh(): MeshFacts {
		return this.inner.mesh;
	}

	get offline(): boolean {
		return this.inner.offline;
	}

	get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined {
		return this.inner.get(kind, namespace, name);
	}

	inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]> {
		return this.inner.inNamespace(kind, namespace);
	}

	all<K extends Kind>(kind: K): Iterable<Resources[K]> {
		return this.inner.all(kind);
	}

	lookup<I extends IndexName>(name: I, key: string): Iterable<Resources[Indexed<I>]> {
		return this.inner.lookup(name, key);
	}

	policy(namespace: string): Policy {
		return this.inner.policy(namespace);
	}

	know<T extends object | string, Answer>(fact: WorldFact<T, Answer>, about: T): Answer {
		return fact(about, this);
	}
}
