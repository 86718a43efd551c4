import type { Engine } from "../core/engine.ts";
import { evaluate } from "../core/evaluate.ts";
import type { Severity } from "../core/finding.ts";
import { formatPath } from "../core/finding.ts";
import type { Gaps } from "../core/gaps.ts";
import type { Inventory } from "../core/inventory.ts";
import type { AnyObject, Kind, Resources, ServiceEntry } from "../core/kinds.ts";
import { kinds } from "../core/kinds.ts";
import { entriesAskingFor } from "../istio/waypoint/losses.ts";
import { traceEntry } from "../trace/hosts.ts";
import type { Reads } from "./reads.ts";
import { questionsAbout, ReadNotes } from "./reads.ts";

/** One finding as it is kept and reported: without the object, and short. */
export interface AuditFinding {
	readonly rule: string;
	readonly severity: Severity;
	/** The field as people write it: `spec.hosts[0]`. */
	readonly path: string;
	readonly message: string;
	readonly hint: string | undefined;
}

/** What becomes of the connections to one host: through a waypoint, past it, or nobody can say yet. */
export type HostState = "governed" | "direct" | "unknown";

export const hostStates: readonly HostState[] = ["governed", "direct", "unknown"];

/** What is known of one stored object. */
export interface AuditedObject {
	readonly kind: Kind;
	readonly apiVersion: string;
	readonly namespace: string;
	readonly name: string;
	readonly uid: string | undefined;
	readonly findings: readonly AuditFinding[];
	/** Findings beyond those that are kept. */
	readonly omitted: number;
	/** The state of each host that the policy governs, in the order of hosts; empty for other kinds. */
	readonly hosts: readonly HostState[];
}

/** One object whose judgement is another than before; undefined: it is gone, or was not there. */
export interface AuditChange {
	readonly before: AuditedObject | undefined;
	readonly after: AuditedObject | undefined;
}

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
	/** Whether single objects are in line, which are judged without waiting for the next round. */
	isUrgent(): boolean;
	/** Whether every object was judged since the start. */
	isComplete(): boolean;
	/** Whether anything is in line. */
	isIdle(): boolean;
	/** Every judged object, in no order. */
	objects(): Iterable<AuditedObject>;
	/** The judged objects of a namespace; "" has those without one. */
	inNamespace(namespace: string): Iterable<AuditedObject>;
}

/** What a label on an entry or a Namespace may name as waypoint. */
const waypointKinds: ReadonlySet<Kind> = new Set(["KubernetesGateway", "Service"]);

/** Findings of one object that are kept; the rest are counted. */
const mostFindings = 20;

const exempt: readonly never[] = [];

/** An auditor of a world; `onChange` is told of every object whose judgement is another than before. */
export function createAuditor(options: {
	readonly engine: Engine;
	readonly inventory: Inventory;
	readonly today: string;
	/** Where policies are not kept, as last worked out; who works it out tells of what is another (`changed`). */
	readonly gaps?: () => Gaps | undefined;
	readonly onChange: (change: AuditChange) => void;
}): Auditor {
	const { engine, inventory, onChange } = options;
	const notes = new ReadNotes(inventory);
	const judged = [...engine.byKind.keys()];
	const readers = readersOf(engine);
	const results = new Map<string, Map<string, Kept>>();
	const named = new Map<string, NamedObject>();
	const affected = new Map<string, NamedObject>();
	const sweeps = new Set<Kind>(judged);
	let today = options.today;
	let isComplete = false;
	let sweep:
		| { readonly kind: Kind; readonly objects: Iterator<AnyObject>; readonly gone: Set<string> }
		| undefined;
	/** The questions whose answers have changed since the last search for judgements that rest on them. */
	let asked = new Set<number>();
	/** Counts changes: what was judged after the last of them rests on no older answer. */
	let moment = 0;
	let search: Iterator<void> | undefined;

	const keep = (key: string, namespace: string, after: AuditedObject | undefined, reads: Reads): void => {
		const names = results.get(namespace);
		const before = names?.get(key)?.object;
		if (after === undefined) {
			names?.delete(key);
			if (names?.size === 0) {
				results.delete(namespace);
			}
		} else if (names === undefined) {
			results.set(namespace, new Map([[key, { object: after, reads, moment }]]));
		} else {
			names.set(key, { object: after, reads, moment });
		}
		if (!isSame(before, after)) {
			onChange({ before, after });
		}
	};
	const judge = (kind: Kind, object: AnyObject): void => {
		const { namespace = "", name = "" } = object.metadata ?? {};
		const key = keyOf(kind, name ?? "");
		affected.delete(`${namespace ?? ""}\n${key}`);
		const result = judgeObject(engine, notes, kind, object, today, options.gaps?.());
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
	/** What is there before a sweep and not met by it is gone. */
	const beginSweep = (): boolean => {
		for (const kind of sweeps) {
			sweeps.delete(kind);
			const gone = new Set<string>();
			for (const [namespace, names] of results) {
				for (const [key, { object }] of names) {
					if (object.kind === kind) {
						gone.add(`${namespace}\n${key}`);
					}
				}
			}
			sweep = { kind, objects: inventory.all(kind)[Symbol.iterator](), gone };
			return true;
		}
		return false;
	};
	const sweepOne = (): void => {
		if (sweep === undefined) {
			return;
		}
		const { kind, objects, gone } = sweep;
		const next = objects.next();
		if (next.done === true) {
			sweep = undefined;
			for (const place of gone) {
				const at = place.indexOf("\n");
				const [namespace, key] = [place.slice(0, at), place.slice(at + 1)];
				// It may have come back while the others were judged.
				if (inventory.get(kind, namespace, key.slice(key.indexOf("/") + 1)) === undefined) {
					keep(key, namespace, undefined, unread);
				}
			}
			return;
		}
		const { namespace = "", name = "" } = next.value.metadata ?? {};
		gone.delete(`${namespace}\n${keyOf(kind, name ?? "")}`);
		judge(kind, next.value);
	};
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
			// What this may unbind is judged at once; all else that asked for it comes in its time.
			for (const { metadata } of waypointKinds.has(kind)
				? entriesAskingFor({ namespace, name }, inventory)
				: []) {
				rejudge({
					kind: "ServiceEntry",
					namespace: metadata?.namespace ?? "",
					name: metadata?.name ?? "",
				});
			}
		},
		rejudge,
		restart(day) {
			today = day;
			addAll(sweeps, judged);
		},
		work(mayGoOn, extent = "all") {
			while (mayGoOn()) {
				if (named.size > 0) {
					judgeFirst(named);
				} else if (extent === "single objects") {
					return false;
				} else if (search !== undefined || asked.size > 0) {
					searchOn();
				} else if (affected.size > 0) {
					judgeFirst(affected);
				} else if (sweep !== undefined || beginSweep()) {
					sweepOne();
				} else {
					break;
				}
			}
			// Also where the last piece took all the time there was: nobody would come back to say so.
			isComplete ||= named.size === 0 && !isRoundLeft();
			return named.size > 0 || (extent === "all" && isRoundLeft());
		},
		isUrgent: () => named.size > 0,
		isComplete: () => isComplete,
		isIdle: () => named.size === 0 && !isRoundLeft(),
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

function judgeObject(
	engine: Engine,
	inventory: Inventory,
	kind: Kind,
	object: AnyObject,
	today: string,
	gaps: Gaps | undefined,
): AuditedObject {
	const { namespace, name, uid } = object.metadata ?? {};
	const verdict = evaluate(engine, inventory, {
		kind,
		namespace: namespace ?? "",
		name: name ?? undefined,
		object,
		today,
		gaps,
	});
	const findings = verdict.findings.slice(0, mostFindings).map((finding) => ({
		rule: finding.rule,
		severity: finding.severity,
		path: shared(formatPath(finding.path)),
		message: shared(finding.message),
		hint: finding.hint === undefined ? undefined : shared(finding.hint),
	}));
	return {
		kind,
		apiVersion: apiVersionOf(kind, object),
		namespace: namespace ?? "",
		name: name ?? "",
		uid: uid ?? undefined,
		findings: findings.length === 0 ? exempt : findings,
		omitted: Math.max(0, verdict.findings.length - mostFindings),
		hosts: kind === "ServiceEntry" ? hostsOf(object as Resources["ServiceEntry"], inventory) : exempt,
	};
}

/** Texts that are kept once: ten thousand entries that lose one waypoint say so in the same words. */
const mostShared = 4096;
const texts = new Map<string, string>();

function shared(text: string): string {
	const known = texts.get(text);
	if (known !== undefined) {
		return known;
	}
	if (texts.size >= mostShared) {
		texts.clear();
	}
	texts.set(text, text);
	return text;
}

function apiVersionOf(kind: Kind, { apiVersion }: AnyObject): string {
	const { group, versions } = kinds[kind];
	return apiVersion ?? [...(group === "" ? [] : [group]), versions[0]].join("/");
}

const plain: readonly HostState[] = ["governed"];

function hostsOf(entry: ServiceEntry, inventory: Inventory): readonly HostState[] {
	if ((entry.spec?.location ?? "MESH_EXTERNAL") !== "MESH_EXTERNAL") {
		return exempt;
	}
	const states = traceEntry(entry, inventory).map(({ binding, capture }): HostState => {
		if (!capture.captured && capture.addresses === "automatic") {
			return "unknown";
		}
		return capture.captured && binding.waypoint !== null ? "governed" : "direct";
	});
	// Most entries have one host and are governed: they share one list.
	return states.length === 1 && states[0] === "governed" ? plain : states;
}

function isSame(one: AuditedObject | undefined, other: AuditedObject | undefined): boolean {
	return (
		one === other ||
		(one !== undefined &&
			other !== undefined &&
			one.uid === other.uid &&
			one.omitted === other.omitted &&
			isEqualList(one.hosts, other.hosts, (a, b) => a === b) &&
			isEqualList(one.findings, other.findings, isEqualFinding))
	);
}

function isEqualList<T>(one: readonly T[], other: readonly T[], isEqual: (a: T, b: T) => boolean): boolean {
	return (
		one === other ||
		(one.length === other.length &&
			one.every((item, index) => {
				const counterpart = other[index];
				return counterpart !== undefined && isEqual(item, counterpart);
			}))
	);
}

function isEqualFinding(one: AuditFinding, other: AuditFinding): boolean {
	return (
		one.rule === other.rule &&
		one.severity === other.severity &&
		one.path === other.path &&
		one.message === other.message
	);
}
