import type { AnyObject } from "../../core/kinds.ts";

/** Who takes the objects of one kind; `ClusterState` with its kind given is one. */
export interface Changes {
	/** Makes the objects exactly these, in one step; what is another one then is told where it is asked for. */
	replace(objects: Iterable<AnyObject>, differences: Iterable<Difference>): void;
	/** Adds an object or replaces the one of its namespace and name, which is told where there was one. */
	set(object: AnyObject, before: AnyObject | undefined): void;
	delete(namespace: string, name: string, before: AnyObject): void;
}

/** One object as it was and as it is; undefined where there was or is none. */
export interface Difference {
	readonly before: AnyObject | undefined;
	readonly after: AnyObject | undefined;
}

/** What one watch event did. */
export type EventOutcome = "applied" | "ignored" | "bookmark" | "synced" | "error" | "malformed";

/** Says what an object takes of the heap, in bytes, and whether only a part of it is kept. */
export interface Weigh {
	keptBytes(object: AnyObject): number;
	isCut(object: AnyObject): boolean;
}

type Objects = Map<string, Map<string, AnyObject>>;

/** Annotation of the bookmark that ends the initial events of a WatchList (KEP-3157). */
const initialEventsEnd = "k8s.io/initial-events-end";

/**
 * One kind as the API server has it: the part of a reflector that knows no socket. It holds the objects, the
 * resourceVersion to resume from, and, while a list or the initial events of a WatchList come in, the new set aside,
 * so that readers see the old world until the new one is whole.
 */
export class KindStore {
	readonly #project: (raw: unknown) => AnyObject | undefined;
	readonly #changes: Changes;
	readonly #weigh: Weigh;
	#objects: Objects = new Map();
	#count = 0;
	#bytes = 0;
	#cut = 0;
	#bytesAside = 0;
	#aside: Objects | undefined;
	#resume: string | undefined;

	constructor(
		project: (raw: unknown) => AnyObject | undefined,
		changes: Changes,
		weigh: Weigh = { keptBytes: () => 0, isCut: () => false },
	) {
		this.#project = project;
		this.#changes = changes;
		this.#weigh = weigh;
	}

	/** The resourceVersion from which a watch loses nothing; undefined: a list is needed. */
	get resume(): string | undefined {
		return this.#resume;
	}

	/** How many objects there are. */
	get size(): number {
		return this.#count;
	}

	/** What the objects take of the heap, in bytes, roughly; of the new set while one comes in. */
	get bytes(): number {
		return this.#aside === undefined ? this.#bytes : this.#bytesAside;
	}

	/** How many objects are kept in part. */
	get cut(): number {
		return this.#cut;
	}

	/** Forgets the place to resume from; the objects stay until the next list replaces them. */
	forget(): void {
		this.#resume = undefined;
		this.#aside = undefined;
	}

	/** Begins a new set of objects, aside. */
	begin(): void {
		this.#aside = new Map();
		this.#bytesAside = 0;
	}

	/** Adds one listed object to the new set; false when it is none. */
	collect(raw: unknown): boolean {
		const object = this.#unchanged(raw) ?? this.#project(raw);
		if (object === undefined || this.#aside === undefined) {
			return false;
		}
		this.#putAside(this.#aside, object);
		return true;
	}

	/** The object that is kept already, when it is of this version: nothing is copied for it. */
	#unchanged(raw: unknown): AnyObject | undefined {
		const { metadata } = (raw ?? {}) as AnyObject;
		const old = this.#objects.get(metadata?.namespace ?? "")?.get(metadata?.name ?? "");
		const version = old?.metadata?.resourceVersion;
		return typeof version === "string" && version === metadata?.resourceVersion ? old : undefined;
	}

	#putAside(aside: Objects, object: AnyObject): void {
		put(aside, object);
		this.#bytesAside += this.#weigh.keptBytes(object);
	}

	/** Swaps the new set in; what it does not hold is gone. */
	commit(resourceVersion: string | undefined): void {
		const next = this.#aside ?? new Map();
		const old = this.#objects;
		this.#aside = undefined;
		let count = 0;
		let bytes = 0;
		let cut = 0;
		for (const [namespace, names] of next) {
			for (const [name, object] of names) {
				count++;
				bytes += this.#weigh.keptBytes(object);
				cut += this.#weigh.isCut(object) ? 1 : 0;
				const known = old.get(namespace)?.get(name);
				if (known !== undefined && isSame(known, object)) {
					// The object that readers already hold: nobody has to judge it again, and the copy can go.
					names.set(name, known);
				}
			}
		}
		this.#objects = next;
		this.#count = count;
		this.#bytes = bytes;
		this.#cut = cut;
		this.#resume = resourceVersion;
		this.#changes.replace(all(next), differences(old, next));
	}

	/** Takes one event of a watch. */
	event(event: unknown): EventOutcome {
		if (typeof event !== "object" || event === null) {
			return "malformed";
		}
		const { type, object: raw } = event as { type?: unknown; object?: unknown };
		switch (type) {
			case "ADDED":
			case "MODIFIED":
			case "DELETED":
				return this.#change(type === "DELETED", raw);
			case "BOOKMARK":
				return this.#bookmark(raw);
			case "ERROR":
				return "error";
			default:
				return "malformed";
		}
	}

	/**
	 * Takes an object that was read directly, ahead of the watch. Only one that is younger than everything the watch
	 * has delivered: its deletion, if any, is then still to come, so that no ghost can stay. While a list is due, any:
	 * that list puts everything right.
	 */
	offer(raw: unknown): boolean {
		const object = this.#project(raw);
		const isAhead = this.#resume === undefined || isNewer(object?.metadata?.resourceVersion, this.#resume);
		return object !== undefined && isAhead && this.#put(object);
	}

	/** Removes an object that the API server was read not to have while there is no watch to say so. */
	discard(namespace: string, name: string): boolean {
		return this.#delete(namespace, name);
	}

	#change(isDeletion: boolean, raw: unknown): EventOutcome {
		const object = this.#project(raw);
		if (object === undefined) {
			return "malformed";
		}
		if (this.#aside !== undefined) {
			// Initial events come in no order: only the bookmark that ends them says where to resume.
			if (isDeletion) {
				const { namespace, name } = address(object);
				this.#aside.get(namespace)?.delete(name);
			} else {
				this.#putAside(this.#aside, object);
			}
			return "applied";
		}
		const version = object.metadata?.resourceVersion;
		if (isNewer(version, this.#resume)) {
			this.#resume = version ?? undefined;
		}
		const changed = isDeletion ? this.#remove(object) : this.#put(object);
		return changed ? "applied" : "ignored";
	}

	#put(object: AnyObject): boolean {
		const { namespace, name } = address(object);
		const old = this.#objects.get(namespace)?.get(name);
		if (old !== undefined && !isNewer(object.metadata?.resourceVersion, old.metadata?.resourceVersion)) {
			return false;
		}
		put(this.#objects, object);
		this.#count += old === undefined ? 1 : 0;
		this.#account(object, 1);
		if (old !== undefined) {
			this.#account(old, -1);
		}
		this.#changes.set(object, old);
		return true;
	}

	#remove(object: AnyObject): boolean {
		const { namespace, name } = address(object);
		const old = this.#objects.get(namespace)?.get(name);
		// A deletion that is told again must not remove the object that was created since.
		if (old === undefined || isNewer(old.metadata?.resourceVersion, object.metadata?.resourceVersion)) {
			return false;
		}
		return this.#delete(namespace, name);
	}

	#delete(namespace: string, name: string): boolean {
		const names = this.#objects.get(namespace);
		const old = names?.get(name);
		if (names === undefined || old === undefined) {
			return false;
		}
		names.delete(name);
		this.#account(old, -1);
		if (names.size === 0) {
			this.#objects.delete(namespace);
		}
		this.#count--;
		this.#changes.delete(namespace, name, old);
		return true;
	}

	#account(object: AnyObject, sign: 1 | -1): void {
		this.#bytes += sign * this.#weigh.keptBytes(object);
		this.#cut += sign * (this.#weigh.isCut(object) ? 1 : 0);
	}

	#bookmark(raw: unknown): EventOutcome {
		const { metadata } = (raw ?? {}) as AnyObject;
		const version = metadata?.resourceVersion;
		if (typeof version !== "string" || version === "") {
			return "malformed";
		}
		if (this.#aside === undefined) {
			if (isNewer(version, this.#resume)) {
				this.#resume = version;
			}
			return "bookmark";
		}
		if (metadata?.annotations?.[initialEventsEnd] !== "true") {
			return "bookmark";
		}
		this.commit(version);
		return "synced";
	}
}

function address(object: AnyObject): { namespace: string; name: string } {
	return { namespace: object.metadata?.namespace ?? "", name: object.metadata?.name ?? "" };
}

function put(objects: Objects, object: AnyObject): void {
	const { namespace, name } = address(object);
	const names = objects.get(namespace);
	if (names === undefined) {
		objects.set(namespace, new Map([[name, object]]));
	} else {
		names.set(name, object);
	}
}

function* all(objects: Objects): Iterable<AnyObject> {
	for (const names of objects.values()) {
		yield* names.values();
	}
}

function* differences(before: Objects, after: Objects): Iterable<Difference> {
	for (const [namespace, names] of after) {
		for (const [name, object] of names) {
			const old = before.get(namespace)?.get(name);
			if (old !== object) {
				yield { before: old, after: object };
			}
		}
	}
	for (const [namespace, names] of before) {
		for (const [name, object] of names) {
			if (after.get(namespace)?.get(name) === undefined) {
				yield { before: object, after: undefined };
			}
		}
	}
}

const decimal = /^\d+$/;

/**
 * Whether one resourceVersion is after another. They are decimal and comparable since Kubernetes 1.35 (KEP-5504), and
 * were in practice before; with any other form the order of arrival counts, as in client-go.
 */
export function isNewer(a: string | null | undefined, b: string | null | undefined): boolean {
	if (typeof a !== "string" || typeof b !== "string" || !decimal.test(a) || !decimal.test(b)) {
		return a !== b;
	}
	return a.length === b.length ? a > b : a.length > b.length;
}

function isSame(a: unknown, b: unknown): boolean {
	if (a === b) {
		return true;
	}
	if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
		return false;
	}
	if (Array.isArray(a) !== Array.isArray(b)) {
		return false;
	}
	const keys = Object.keys(a);
	return (
		keys.length === Object.keys(b).length &&
		keys.every(
			(key) =>
				Object.hasOwn(b, key) &&
				isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
		)
	);
}
