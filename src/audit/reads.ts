import type { Indexed, IndexName } from "../core/indexes.ts";
import { indexesOf } from "../core/indexes.ts";
import type { AnyObject, Kind, Resources } from "../core/kinds.ts";
import { PassingInventory } from "../core/passing-inventory.ts";
import type { Policy } from "../core/policy.ts";

/**
 * What a judgement read, as a number for each question. Two questions may share one: then an object is judged once too
 * often, and never too seldom. A number takes eight bytes where the question's text would take a hundred.
 */
export type Reads = readonly number[];

/** A change of one object as far as questions about the world are concerned. */
export interface ReadableChange {
	readonly kind: Kind;
	readonly namespace: string;
	readonly name: string;
	/** The object before and after, where there was and is one. */
	readonly before?: AnyObject | undefined;
	readonly after?: AnyObject | undefined;
}

/** Passes every question on and notes it; settings and the mesh's facts are not noted: they change for all. */
export class ReadNotes extends PassingInventory {
	#reads = new Set<number>();

	/** What was asked since the last call. */
	take(): Reads {
		const reads = [...this.#reads];
		this.#reads.clear();
		return reads;
	}

	override get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined {
		this.#reads.add(numberOf("object", kind, namespace, name));
		return this.inner.get(kind, namespace, name);
	}

	override inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]> {
		this.#reads.add(numberOf("namespace", kind, namespace));
		return this.inner.inNamespace(kind, namespace);
	}

	override all<K extends Kind>(kind: K): Iterable<Resources[K]> {
		this.#reads.add(numberOf("all", kind));
		return this.inner.all(kind);
	}

	override lookup<I extends IndexName>(name: I, key: string): Iterable<Resources[Indexed<I>]> {
		this.#reads.add(numberOf("index", name, key));
		return this.inner.lookup(name, key);
	}

	override policy(namespace: string): Policy {
		// It is read from the Namespace and from nothing else.
		this.#reads.add(numberOf("object", "Namespace", "", namespace));
		return this.inner.policy(namespace);
	}
}

/** Every question whose answer a change may have made another one. */
export function questionsAbout({ kind, namespace, name, before, after }: ReadableChange): Reads {
	const questions = new Set([
		numberOf("object", kind, namespace, name),
		numberOf("namespace", kind, namespace),
		numberOf("all", kind),
	]);
	for (const [index, { keys }] of indexesOf.get(kind) ?? []) {
		for (const object of [before, after]) {
			for (const key of object === undefined ? [] : keys(object)) {
				questions.add(numberOf("index", index, key));
			}
		}
	}
	return [...questions];
}

/** A number of 30 bits (FNV-1a), which V8 keeps in place. */
function numberOf(...parts: readonly string[]): number {
	let hash = 0x811c9dc5;
	for (const part of parts) {
		for (let at = 0; at < part.length; at++) {
			hash = Math.imul(hash ^ part.charCodeAt(at), 0x01000193);
		}
		hash = Math.imul(hash ^ 0x1f, 0x01000193);
	}
	return (hash ^ (hash >>> 15)) & 0x3fffffff;
}
