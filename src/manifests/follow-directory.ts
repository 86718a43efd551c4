import type { FSWatcher } from "node:fs";
import { watch } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import { ClusterState } from "../core/cluster-state.ts";
import type { AnyObject, Kind, Resources } from "../core/kinds.ts";
import { allKinds } from "../core/kinds.ts";
import { defaultSettings } from "../core/settings.ts";
import type { PlainReading } from "./plain-reading.ts";
import { nothingRead, readPlain } from "./plain-reading.ts";
import type { Unreadable } from "./read.ts";
import { addToWorld, filesOf } from "./read.ts";
import { readAside } from "./read-aside.ts";

/** What became of reading a directory. */
export interface DirectoryStatus {
	readonly objects: number;
	/** What cannot be read now, as FILE:LINE: MESSAGE; while there is any, the last good world is kept. */
	readonly problems: readonly string[];
}

/** A world that follows the YAML files below a directory. */
export interface DirectoryWorld {
	readonly state: ClusterState;
	status(): DirectoryStatus;
	stop(): Promise<void>;
}

/** How long after a change the files are looked at, and then once more, in milliseconds: editors write in steps. */
const settleMs = 100;
/** How often they are looked at in any case, in milliseconds: some file systems tell nobody of their changes. */
const pollMs = 2_000;
/** Looking takes at most this part of the time, however many files there are. */
const share = 50;
/** So many files are looked at or read between two turns of the event loop. */
const batch = 64;
/** A file of more bytes is read in a thread of its own while others wait for answers: this many take some 50 ms. */
const mostBytesInTurn = 32_768;

/** A file as it was last read. */
interface KnownFile {
	/** What changes when the file does: its identity, size and times. */
	readonly signature: string;
	readonly reading: PlainReading;
	/** Whether there was anything in it. */
	readonly empty: boolean;
}

/**
 * Reads the world below a directory and keeps it up to date; tells of every change and of everything unreadable.
 * Only files that changed are read again, and only when two looks found the same; nothing that a file holds throws.
 */
export async function followDirectory(
	directory: string,
	onChange: (status: DirectoryStatus) => void,
): Promise<DirectoryWorld> {
	const state = new ClusterState(defaultSettings, { offline: true });
	let status: DirectoryStatus = { objects: 0, problems: [] };
	let known: ReadonlyMap<string, KnownFile> = new Map();
	let seen = "";
	let applied = "";
	const stopping = new AbortController();
	let timer: NodeJS.Timeout | undefined;

	const apply = async (
		files: ReadonlyMap<string, KnownFile>,
		unreadable: readonly Unreadable[],
	): Promise<void> => {
		const readings = [...files.values()].map((each) => each.reading);
		const wrong = [
			...unreadable,
			...readings.flatMap((each) => each.skipped),
			...readings.flatMap((each) => each.unreadable),
			...readings.flatMap((each) => each.misreadings),
		];
		const problems = wrong.map((each) => `${each.file}:${each.line}: ${each.message}`);
		known = files;
		if (problems.length === 0) {
			await fill(state, readings);
		}
		const count = readings.reduce((sum, each) => sum + each.count, 0);
		const objects = problems.length === 0 ? count : status.objects;
		status = { objects, problems };
		onChange(status);
	};

	/** Looks once; reads what changed when the look before found the same. Whether a second look is due soon. */
	const look = async (isFirst: boolean): Promise<boolean> => {
		const unreadable: Unreadable[] = [];
		const signatures = await signaturesOf(filesOf(directory, unreadable), unreadable);
		const text = JSON.stringify([[...signatures], unreadable]);
		if (text === applied) {
			return false;
		}
		if (!isFirst && text !== seen) {
			seen = text;
			return true;
		}
		// Nobody waits for an answer before the first world is whole.
		const files = await readChanged(signatures, known, isFirst ? undefined : stopping.signal);
		if (stopping.signal.aborted) {
			return false;
		}
		applied = text;
		await apply(files, unreadable);
		return false;
	};

	let due = Number.POSITIVE_INFINITY;
	/** Looks after so many milliseconds at the latest; changes without end do not put it off. */
	const next = (delay: number): void => {
		const at = performance.now() + delay;
		if (!stopping.signal.aborted && at < due) {
			clearTimeout(timer);
			due = at;
			timer = setTimeout(run, delay).unref();
		}
	};
	let running: Promise<void> | undefined;
	const run = (): void => {
		due = Number.POSITIVE_INFINITY;
		// A change while one looks is found by the next look.
		running ??= lookSafely().finally(() => {
			running = undefined;
		});
	};
	const lookSafely = async (): Promise<void> => {
		const started = performance.now();
		let isUnsettled = false;
		try {
			isUnsettled = await look(false);
		} catch (error) {
			const message = `${directory}:1: ${error instanceof Error ? error.message : String(error)}`;
			applied = "";
			if (status.problems[0] !== message) {
				status = { objects: status.objects, problems: [message] };
				onChange(status);
			}
		}
		next(isUnsettled ? settleMs : Math.max(pollMs, share * (performance.now() - started)));
	};

	await look(true);
	const watcher = watchBelow(directory, () => next(settleMs));
	next(pollMs);
	return {
		state,
		status: () => status,
		async stop() {
			stopping.abort();
			watcher?.close();
			clearTimeout(timer);
			await running;
		},
	};
}

/** Watches a folder; undefined where that is not possible, and looking every few seconds has to do. */
function watchBelow(directory: string, onEvent: () => void): FSWatcher | undefined {
	try {
		const watcher = watch(directory, { recursive: true, persistent: false }, onEvent);
		return watcher.on("error", () => watcher.close());
	} catch {
		return undefined;
	}
}

/** Makes a world what was read: aside in steps, for the world is judged by meanwhile, and then at once. */
async function fill(state: ClusterState, readings: readonly PlainReading[]): Promise<void> {
	const fresh = new ClusterState(state.settings, { offline: true });
	let left = batch;
	for (const { kind, object } of readings.flatMap((each) => each.objects)) {
		addToWorld(fresh, kind, object);
		if (--left === 0) {
			left = batch;
			await turn();
		}
	}
	for (const kind of allKinds) {
		state.replace(kind, fresh.all(kind) as Iterable<Resources[Kind] & AnyObject>);
	}
}

/** What changes when a file does; a file that has gone since it was listed is left out. */
async function signaturesOf(
	files: readonly string[],
	unreadable: Unreadable[],
): Promise<ReadonlyMap<string, string>> {
	const signatures = new Map<string, string>();
	for (let start = 0; start < files.length; start += batch) {
		const part = files.slice(start, start + batch);
		const stats = await Promise.all(part.map((file) => stat(file).catch(() => undefined)));
		for (const [index, each] of stats.entries()) {
			const file = part[index] ?? "";
			if (each !== undefined && !each.isFile()) {
				// To read a pipe is to wait until somebody writes.
				unreadable.push({ file, line: 1, message: "is no regular file" });
			} else if (each !== undefined) {
				signatures.set(file, [each.dev, each.ino, each.size, each.mtimeMs, each.ctimeMs].join(" "));
			}
		}
	}
	return signatures;
}

/** Reads what changed: large files aside where there is a signal, which ends that. */
async function readChanged(
	signatures: ReadonlyMap<string, string>,
	known: ReadonlyMap<string, KnownFile>,
	aside: AbortSignal | undefined,
): Promise<ReadonlyMap<string, KnownFile>> {
	const files = new Map<string, KnownFile>();
	for (const [file, signature] of signatures) {
		const before = known.get(file);
		if (before?.signature === signature) {
			files.set(file, before);
			continue;
		}
		files.set(file, await readOne(file, signature, before, aside));
		// Reading takes its time for every file: requests are answered in between.
		await turn();
	}
	return files;
}

async function readOne(
	file: string,
	signature: string,
	before: KnownFile | undefined,
	aside: AbortSignal | undefined,
): Promise<KnownFile> {
	try {
		const bytes = await readFile(file);
		const empty = bytes.length === 0;
		if (empty && before !== undefined && !before.empty) {
			// A file is empty while it is written anew; whoever means it deletes the file.
			const message = "has become empty: delete the file if its objects are to go";
			return { signature, reading: nothingRead(file, message), empty: false };
		}
		const isShort = aside === undefined || bytes.length <= mostBytesInTurn;
		const reading = isShort ? readPlain(bytes, file) : await readAside(bytes, file, aside);
		return { signature, reading, empty };
	} catch (error) {
		const message = `cannot be read (${error instanceof Error && "code" in error ? String(error.code) : String(error)})`;
		return { signature, reading: nothingRead(file, message), empty: true };
	}
}
