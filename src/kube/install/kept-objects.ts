import { setTimeout as sleep } from "node:timers/promises";
import { fieldManager, statusOf } from "../client/api-writes.ts";
import type { Connection } from "../client/connection.ts";
import type { Log } from "../client/log.ts";

/** An object that is kept, as far as the keeper looks into it. */
export interface KeptObject {
	readonly metadata?:
		| {
				readonly namespace?: string | null | undefined;
				readonly name?: string | null | undefined;
				readonly uid?: string | null | undefined;
				readonly resourceVersion?: string | null | undefined;
		  }
		| null
		| undefined;
}

/** What is kept, and how it is told from what is stored. */
export interface KeepOptions<T extends KeptObject> {
	readonly server: Pick<Connection, "request">;
	/** The path of an object in the API. */
	readonly path: (namespace: string, name: string) => string;
	/** The object as the watch saw it last. */
	readonly stored: (namespace: string, name: string) => T | undefined;
	/** Every stored object of the kind. */
	readonly all: () => Iterable<T>;
	/** Whether an object is one that only the keeper writes: it is deleted where it is not wanted. */
	readonly isOwn: (object: T) => boolean;
	/** Whether a stored object is what is wanted. */
	readonly isAsWanted: (stored: T, wanted: T) => boolean;
	readonly log: Log;
	readonly times?: Partial<KeepTimes>;
}

/** Milliseconds. */
export interface KeepTimes {
	/** How long an object that was written rests before it is written again. */
	readonly restMs: number;
	/** When the same had to be written five times, the rest doubles with each further time, up to this. */
	readonly longestMs: number;
	/** After how long without another write of it an object's rest is short again. */
	readonly calmMs: number;
	/** Between two writes. */
	readonly writeMs: number;
}

/** How keeping stands. */
export interface KeepStatus {
	/** Wanted objects that are stored as they should be. */
	readonly kept: number;
	/** Objects that are still to be written or deleted. */
	readonly waiting: number;
	readonly applied: number;
	readonly deleted: number;
	readonly failed: number;
	/** What the last failure was; undefined once a write has succeeded. */
	readonly problem: string | undefined;
}

/** Keeps objects as they are wanted. */
export interface Keeper<T extends KeptObject> {
	/** From now on exactly these are wanted. */
	want(objects: Iterable<T>): void;
	/** A stored object is another than before, or gone. */
	saw(namespace: string, name: string): void;
	status(): KeepStatus;
}

const defaultTimes: KeepTimes = { restMs: 1_000, longestMs: 300_000, calmMs: 600_000, writeMs: 20 };
const deadlineMs = 10_000;
/** After so many failures in a row, everything waits, and not only the objects that failed. */
const failuresBeforePause = 5;

/** How often the same is written before its rests become longer. */
const shortRests = 5;

/** What is remembered of an object that was written. */
interface Trace {
	/** How often the same was written, without a calm between. */
	times: number;
	writtenAt: number;
	/** The version that was as wanted, although the watch may have kept too little of it to see that. */
	version: string | undefined;
	wanted: unknown;
}

/**
 * Keeps objects by server-side apply until the signal: what is as wanted is not written, what somebody changed is put
 * right, what is no longer wanted is deleted. One write at a time; each object rests longer after each write, so that a
 * rival who writes it, too, costs a write in five minutes at last; refusals are tried again ever more seldom.
 */
export function keepObjects<T extends KeptObject>(options: KeepOptions<T>, signal: AbortSignal): Keeper<T> {
	const times = { ...defaultTimes, ...options.times };
	let wanted = new Map<string, T>();
	const due = new Map<string, number>();
	const traces = new Map<string, Trace>();
	const figures = { applied: 0, deleted: 0, failed: 0 };
	let problem: string | undefined;
	let failures = 0;
	let wake = (): void => {};
	let isWanting = false;

	const isKept = (key: string): boolean => {
		const object = wanted.get(key);
		const [namespace, name] = partsOf(key);
		const stored = options.stored(namespace, name);
		if (object === undefined || stored === undefined) {
			return object === stored;
		}
		const trace = traces.get(key);
		const isWritten = trace?.wanted === object && trace.version === stored.metadata?.resourceVersion;
		return (isWritten && trace?.version !== undefined) || options.isAsWanted(stored, object);
	};
	const isToDelete = (key: string): boolean => {
		const [namespace, name] = partsOf(key);
		const stored = options.stored(namespace, name);
		return stored !== undefined && options.isOwn(stored);
	};
	const queue = (key: string): void => {
		const trace = traces.get(key);
		const from = trace === undefined ? 0 : trace.writtenAt + restOf(trace, wanted.get(key));
		due.set(key, Math.max(from, performance.now()));
		wake();
	};
	const restOf = (trace: Trace, object: T | undefined): number =>
		trace.wanted === object
			? Math.min(times.restMs * 2 ** Math.max(0, trace.times - shortRests), times.longestMs)
			: times.restMs;
	const begin = (key: string): Trace => {
		const writtenAt = performance.now();
		const before = traces.get(key);
		const object = wanted.get(key);
		const isAgain = before?.wanted === object && writtenAt - (before?.writtenAt ?? 0) < times.calmMs;
		const trace: Trace = {
			times: isAgain ? (before?.times ?? 0) + 1 : 1,
			writtenAt,
			version: undefined,
			wanted: object,
		};
		traces.set(key, trace);
		return trace;
	};
	const request = (method: "PATCH" | "PUT" | "DELETE", key: string, body: unknown): Promise<unknown> =>
		options.server.request(method, options.path(...partsOf(key)), {
			...(method === "PATCH"
				? { query: { fieldManager, force: true }, contentType: "application/apply-patch+yaml" }
				: method === "PUT"
					? { query: { fieldManager } }
					: {}),
			body,
			signal,
			deadlineMs,
		});
	const apply = async (key: string, object: T): Promise<void> => {
		const trace = begin(key);
		let answer = (await request("PATCH", key, object)) as T;
		if (!options.isAsWanted(answer, object)) {
			// Apply leaves what another manager added: such an object is replaced, at the version that was just seen.
			const metadata = { ...object.metadata, resourceVersion: answer.metadata?.resourceVersion };
			answer = (await request("PUT", key, { ...object, metadata })) as T;
		}
		trace.version = answer.metadata?.resourceVersion ?? undefined;
		figures.applied += 1;
	};
	const remove = async (key: string): Promise<void> => {
		const [namespace, name] = partsOf(key);
		const { uid, resourceVersion } = options.stored(namespace, name)?.metadata ?? {};
		begin(key);
		// Never one that somebody made in its place.
		await request("DELETE", key, { preconditions: { uid, resourceVersion } });
		figures.deleted += 1;
	};
	const write = async (key: string): Promise<void> => {
		const object = wanted.get(key);
		if (isKept(key)) {
			return;
		}
		if (object !== undefined) {
			await apply(key, object);
		} else if (isToDelete(key)) {
			await remove(key);
		}
	};
	const attempt = async (key: string): Promise<void> => {
		try {
			await write(key);
			failures = 0;
			problem = undefined;
		} catch (error) {
			if (signal.aborted || isGone(error)) {
				return;
			}
			failures += 1;
			figures.failed += 1;
			const text = error instanceof Error ? error.message : String(error);
			if (problem === undefined) {
				options.log.warn({ object: key, status: statusOf(error), problem: text }, "object not kept");
			}
			problem = text;
			queue(key);
		}
	};
	const pause = (ms: number): Promise<void> =>
		new Promise((resolve) => {
			const alarm = new AbortController();
			wake = () => alarm.abort();
			sleep(ms, undefined, { signal: AbortSignal.any([signal, alarm.signal]), ref: false }).then(
				resolve,
				() => resolve(),
			);
		});
	const next = (): { readonly key: string; readonly inMs: number } | undefined => {
		let first: { key: string; inMs: number } | undefined;
		const now = performance.now();
		for (const [key, at] of due) {
			if (first === undefined || at - now < first.inMs) {
				first = { key, inMs: at - now };
			}
		}
		return first;
	};
	const run = async (): Promise<void> => {
		while (!signal.aborted) {
			const first = next();
			if (first === undefined || first.inMs > 0) {
				await pause(Math.min(first?.inMs ?? 2 ** 30, 2 ** 30));
				continue;
			}
			due.delete(first.key);
			await attempt(first.key);
			const isBlocked = failures >= failuresBeforePause;
			await sleep(
				isBlocked ? Math.min(times.restMs * 2 ** (failures - failuresBeforePause), 60_000) : times.writeMs,
				undefined,
				{ signal, ref: false },
			).catch(() => {});
		}
	};
	void run();
	return {
		want(objects) {
			isWanting = true;
			const before = wanted;
			wanted = new Map([...objects].map((object) => [keyOf(object), reused(object, before, options)]));
			for (const key of wanted.keys()) {
				if (!isKept(key)) {
					queue(key);
				}
			}
			for (const object of options.all()) {
				const key = keyOf(object);
				if (!wanted.has(key) && options.isOwn(object)) {
					queue(key);
				}
			}
			for (const key of traces.keys()) {
				const [namespace, name] = partsOf(key);
				if (!wanted.has(key) && !due.has(key) && options.stored(namespace, name) === undefined) {
					traces.delete(key);
				}
			}
		},
		saw(namespace, name) {
			const key = `${namespace}/${name}`;
			if (isWanting && (wanted.has(key) || traces.has(key)) && !due.has(key) && !isKept(key)) {
				queue(key);
			}
		},
		status() {
			let kept = 0;
			for (const key of wanted.keys()) {
				kept += isKept(key) ? 1 : 0;
			}
			return { kept, waiting: due.size, ...figures, problem };
		},
	};
}

/** The object that was wanted before, where it is the same: what was remembered of it still holds. */
function reused<T extends KeptObject>(object: T, before: ReadonlyMap<string, T>, options: KeepOptions<T>): T {
	const known = before.get(keyOf(object));
	return known !== undefined && options.isAsWanted(known, object) ? known : object;
}

function keyOf({ metadata }: KeptObject): string {
	return `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`;
}

function partsOf(key: string): [string, string] {
	const slash = key.indexOf("/");
	return [key.slice(0, slash), key.slice(slash + 1)];
}

/** Whether a write failed because its object, or the object's namespace, is gone or going: nothing is left to do. */
function isGone(error: unknown): boolean {
	const text = error instanceof Error ? error.message : "";
	return statusOf(error) === 404 || (statusOf(error) === 403 && /being terminated/.test(text));
}
