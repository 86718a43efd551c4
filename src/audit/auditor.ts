import type { Engine } from "../core/engine.ts";
import type { Inventory } from "../core/inventory.ts";
import type { AnyObject, Kind, ServiceEntry } from "../core/kinds.ts";
import { entriesAskingFor } from "../istio/waypoint/losses.ts";
import type { FoundGaps } from "../reach/gaps.ts";
import type { AuditChange, AuditedObject } from "./judged.ts";
import { isSameJudgement, judgeStored, wayOut } from "./judged.ts";
import type { Reads } from "./reads.ts";
import { questionsAbout, ReadNotes } from "./reads.ts";
import { Tally } from "./tally.ts";

/** What changed in the world: one object, or, without a name, any number of a kind. */
export interface WorldChange {
	readonly kind: Kind;
	readonly namespace?: string;
	readonly name?: string;
	/** The object before and after, where there was and is one. */
	readonly before?: AnyObject | undefined;
	readonly after?: AnyObject | undefined;
}

/** The names of one object. */
export interface NamedObject {
	readonly kind: Kind;
	readonly namespace: string;
	readonly name: string;
}

/** Judges every stored object, and again what a change may have touched. */
export interface Auditor {
	/** Puts in line what a change may have touched: the object, then every object whose judgement asked for it. */
	changed(change: WorldChange): void;
	/** Puts one object in line, and nothing else: of it alone something is another than before. */
	rejudge(object: NamedObject): void;
	/** Puts everything in line: another configuration, another day. */
	restart(today: string): void;
	/** Judges what is in line while `mayGoOn` says so, single objects first or alone; whether any of that is left. */
	work(mayGoOn: () => boolean, extent?: "all" | "single objects"): boolean;
	/**
	 * How urgent what is in line is: 2 while it is to be said of entries whether their waypoint still takes them, 1 while
	 * single objects are to be judged, which does not wait for the next round either, else 0.
	 */
	urgency(): 0 | 1 | 2;
	/** Whether every object was judged since the start. */
	isComplete(): boolean;
	/** Whether anything is in line. */
	isIdle(): boolean;
	/** What is judged, counted. */
	readonly tally: Tally;
	/** Every judged object, in no order. */
	objects(): Iterable<AuditedObject>;
	/** The judged objects of a namespace; "" has those without one. */
	inNamespace(namespace: string): Iterable<AuditedObject>;
}

/** What a label on an entry or a Namespace may name as waypoint. */
const waypointKinds: ReadonlySet<Kind> = new Set(["KubernetesGateway", "Service"]);

/**
 * An auditor of a world; `onChange` is told of every object whose judgement is another than before, and `onLoss` when
 * other entries than before are reached past the waypoint that they ask for, which is known before they are judged.
 */
export function createAuditor(options: {
	readonly engine: Engine;
	readonly inventory: Inventory;
	readonly today: string;
	/** Where policies are not kept, as last worked out; who works it out tells of what is another (`changed`). */
	readonly gaps?: () => FoundGaps | undefined;
	readonly onChange: (change: AuditChange) => void;
	readonly onLoss?: () => void;
}): Auditor {
	const { engine, inventory, onChange } = options;
	const tally = new Tally();
	const notes = new ReadNotes(inventory);
	const judged = [...engine.byKind.keys()];
	const readers = readersOf(engine);
	const results = new Map<string, Map<string, Kept>>();
	const named = new Map<string, NamedObject>();
	const affected = new Map<string, NamedObject>();
	const rerouted = new Map<string, NamedObject>();
	const sweeps = new Set<Kind>(judged);
	let today = options.today;
	let isComplete = false;
	let sweep: Iterator<void> | undefined;
	/** By waypoint that has changed: the entries that ask for it and are not in line yet. */
	const unbinding = new Map<string, Iterator<ServiceEntry>>();
	/** The questions whose answers have changed since the last search for judgements that rest on them. */
	let asked = new Set<number>();
	/** Counts changes: what was judged after the last of them rests on no older answer. */
	let moment = 0;
	let search: Iterator<void> | undefined;

	const count = (before: AuditedObject | undefined, after: AuditedObject | undefined): void => {
		if (tally.replace(before, after)) {
			options.onLoss?.();
		}
	};
	const keep = (key: string, namespace: string, after: AuditedObject | undefined, reads: Reads): void => {
		const names = results.get(namespace);
		const before = names?.get(key);
		count(before?.object, after);
		if (after === undefined) {
			names?.delete(key);
			if (names?.size === 0) {
				results.delete(namespace);
			}
		} else {
			const kept = { object: after, told: after, reads, moment };
			if (names === undefined) {
				results.set(namespace, new Map([[key, kept]]));
			} else {
				names.set(key, kept);
			}
		}
		if (!isSameJudgement(before?.told, after)) {
			onChange({ before: before?.told, after });
		}
	};
	/** Says of one entry whether its waypoint still takes it; what else follows is judged later. */
	const rerouteFirst = (): void => {
		for (const [place, { kind, namespace, name }] of rerouted) {
			rerouted.delete(place);
			const [names, key] = [results.get(namespace), keyOf(kind, name)];
			const kept = names?.get(key);
			const entry = inventory.get("ServiceEntry", namespace, name);
			if (kept !== undefined && entry !== undefined) {
				const object = { ...kept.object, ...wayOut(entry, inventory, options.gaps?.()) };
				count(kept.object, object);
				names?.set(key, { ...kept, object });
			}
			return;
		}
	};
	const judge = (kind: Kind, object: AnyObject): void => {
		const { namespace = "", name = "" } = object.metadata ?? {};
		const key = keyOf(kind, name ?? "");
		affected.delete(`${namespace ?? ""}\n${key}`);
		const result = judgeStored(engine, notes, { kind, object, today, gaps: options.gaps?.() });
		keep(key, namespace ?? "", result, notes.take());
	};
	const rejudge = ({ kind, namespace, name }: NamedObject): void => {
		if (engine.byKind.has(kind)) {
			named.set(`${namespace}\n${keyOf(kind, name)}`, { kind, namespace, name });
		}
	};
	const judgeFirst = (line: Map<string, NamedObject>): void => {
		for (const [place, { kind, namespace, name }] of line) {
			line.delete(place);
			const object = inventory.get(kind, namespace, name);
			if (object === undefined) {
				keep(keyOf(kind, name), namespace, undefined, unread);
			} else {
				judge(kind, object);
			}
			return;
		}
	};
	/** Puts in line every judgement that rests on a question that was asked before. */
	const searchAll = function* (questions: ReadonlySet<number>): Iterator<void> {
		const asOf = moment;
		let looked = 0;
		for (const [namespace, names] of results) {
			for (const [key, { object, reads, moment: judgedAt }] of names) {
				if (judgedAt < asOf && reads.some((read) => questions.has(read))) {
					affected.set(`${namespace}\n${key}`, { kind: object.kind, namespace, name: object.name });
				}
				looked += 1;
				if (looked % searchedAtOnce === 0) {
					yield;
				}
			}
		}
	};
	const searchOn = (): void => {
		if (search === undefined) {
			search = searchAll(asked);
			asked = new Set();
		}
		if (search.next().done === true) {
			search = undefined;
		}
	};
	/** Judges every object of a kind, then forgets those that are not there any more. */
	const sweepAll = function* (kind: Kind): Iterator<void> {
		for (const object of inventory.all(kind)) {
			judge(kind, object);
			yield;
		}
		let looked = 0;
		for (const [namespace, names] of results) {
			for (const [key, { object }] of names) {
				if (object.kind === kind && inventory.get(kind, namespace, object.name) === undefined) {
					keep(key, namespace, undefined, unread);
				}
				looked += 1;
				if (looked % searchedAtOnce === 0) {
					yield;
				}
			}
		}
	};
	const sweepOn = (): void => {
		const [kind] = sweeps;
		if (sweep === undefined && kind !== undefined) {
			sweeps.delete(kind);
			sweep = sweepAll(kind);
		}
		if (sweep?.next().done === true) {
			sweep = undefined;
		}
	};
	/** Puts in line some of the entries that asked for a waypoint that has changed: there may be ten thousand. */
	const unbindSome = (): void => {
		const [first] = unbinding;
		if (first === undefined) {
			return;
		}
		const [waypoint, entries] = first;
		for (let count = 0; count < searchedAtOnce; count++) {
			const next = entries.next();
			if (next.done === true) {
				unbinding.delete(waypoint);
				return;
			}
			const { metadata } = next.value;
			const [namespace, name] = [metadata?.namespace ?? "", metadata?.name ?? ""];
			const entry: NamedObject = { kind: "ServiceEntry", namespace, name };
			rejudge(entry);
			rerouted.set(`${namespace}\n${name}`, entry);
		}
	};
	/** Takes a step with single objects; false when none is in line. */
	const workOnSingle = (): boolean => {
		if (rerouted.size > 0) {
			rerouteFirst();
			return true;
		}
		if (unbinding.size > 0) {
			unbindSome();
			return true;
		}
		if (named.size > 0) {
			judgeFirst(named);
			return true;
		}
		return false;
	};
	/** Takes a step of the round over everything that a change may have touched; false when nothing is left of it. */
	const workOnRound = (): boolean => {
		if (search !== undefined || asked.size > 0) {
			searchOn();
			return true;
		}
		if (affected.size > 0) {
			judgeFirst(affected);
			return true;
		}
		if (sweep !== undefined || sweeps.size > 0) {
			sweepOn();
			return true;
		}
		return false;
	};
	const isSingleLeft = (): boolean => named.size > 0 || rerouted.size > 0 || unbinding.size > 0;
	const isRoundLeft = (): boolean =>
		asked.size > 0 || search !== undefined || affected.size > 0 || sweep !== undefined || sweeps.size > 0;
	return {
		changed({ kind, namespace, name, before, after }) {
			if (name === undefined || namespace === undefined) {
				addAll(sweeps, engine.byKind.has(kind) ? [kind] : []);
				addAll(sweeps, readers.get(kind) ?? []);
				return;
			}
			rejudge({ kind, namespace, name });
			moment += 1;
			addAll(asked, questionsAbout({ kind, namespace, name, before, after }));
			// What this may unbind is said and judged at once; all else that asked for it comes in its time.
			if (waypointKinds.has(kind)) {
				const entries = entriesAskingFor({ namespace, name }, inventory);
				unbinding.set(`${namespace}/${name}`, entries[Symbol.iterator]());
			}
		},
		rejudge,
		restart(day) {
			today = day;
			addAll(sweeps, judged);
		},
		work(mayGoOn, extent = "all") {
			while (mayGoOn() && (workOnSingle() || (extent === "all" && workOnRound()))) {}
			// Also where the last piece took all the time there was: nobody would come back to say so.
			isComplete ||= !isSingleLeft() && !isRoundLeft();
			return isSingleLeft() || (extent === "all" && isRoundLeft());
		},
		urgency: () => (rerouted.size > 0 || unbinding.size > 0 ? 2 : named.size > 0 ? 1 : 0),
		isComplete: () => isComplete,
		isIdle: () => !isSingleLeft() && !isRoundLeft(),
		tally,
		*objects() {
			for (const names of results.values()) {
				for (const { object } of names.values()) {
					yield object;
				}
			}
		},
		*inNamespace(namespace) {
			for (const { object } of results.get(namespace)?.values() ?? []) {
				yield object;
			}
		},
	};
}

/** A judgement with what it rests on. */
interface Kept {
	readonly object: AuditedObject;
	/** As `onChange` was told of it last. */
	readonly told: AuditedObject;
	readonly reads: Reads;
	/** How many changes there were before it. */
	readonly moment: number;
}

const unread: Reads = [];

/** Judgements that are looked through between two looks at the clock. */
const searchedAtOnce = 64;

/** For each kind, the kinds with a rule that reads it; a policy comes from a Namespace, so all depend on that. */
function readersOf(engine: Engine): ReadonlyMap<Kind, readonly Kind[]> {
	const readers = new Map<Kind, Set<Kind>>();
	for (const { kind, reads } of engine.rules) {
		for (const read of ["Namespace", ...reads] as const) {
			const set = readers.get(read) ?? new Set();
			readers.set(read, set.add(kind));
		}
	}
	return new Map([...readers].map(([kind, set]) => [kind, [...set]]));
}

function addAll<T>(set: Set<T>, items: Iterable<T>): void {
	for (const item of items) {
		set.add(item);
	}
}

function keyOf(kind: Kind, name: string): string {
	return `${kind}/${name}`;
}
