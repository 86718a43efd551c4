import type { FSWatcher } from "node:fs";
import { watch } from "node:fs";
import { readFile, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pairFault, verificationFault } from "./inspect.ts";
import type { CertificateSource, ServingCertificate } from "./source.ts";
import { holdCertificate } from "./source.ts";

/** Which files hold the certificate, and how they are watched. */
export interface CertificateFiles {
	readonly certFile: string;
	readonly keyFile: string;
	/** The CA bundle that verifies the certificate, if it lies beside it (cert-manager's `ca.crt`). */
	readonly caFile?: string;
	/** How often the files are read whatever the watch says, in milliseconds (10 s, as controller-runtime's certwatcher). */
	readonly pollMs?: number;
	/** Told what is wrong when a new pair cannot be used, and `null` when that is over. */
	readonly onFault?: (fault: string | null) => void;
}

/** A source that reads files, with what is wrong with their newest content (the last good pair stays in use). */
export interface CertificateFileSource extends CertificateSource {
	/** Reads the files now; resolves when their content, if good, is in use. */
	refresh(): Promise<void>;
	fault(): string | null;
}

const attempts = 5;
const attemptGapMs = 50;
const settleMs = 100;

/**
 * Serves the pair in two files, mounted Secrets included, and follows every change of them.
 * Throws when the first read yields no usable pair.
 */
export async function watchCertificateFiles(files: CertificateFiles): Promise<CertificateFileSource> {
	const held = holdCertificate(await readStable(files));
	let fault: string | null = null;
	let stopped = false;
	let reading: Promise<void> | null = null;
	let again = false;

	const note = (next: string | null): void => {
		if (next !== fault) {
			fault = next;
			files.onFault?.(next);
		}
	};
	const readOnce = async (): Promise<void> => {
		try {
			const next = await readStable(files);
			const now = new Date();
			const unusable = verificationFault(next.cert, { now });
			if (unusable !== null && verificationFault(held.current().cert, { now }) === null) {
				note(`Cannot use the new certificate in ${files.certFile}: ${unusable}`);
				return;
			}
			note(null);
			if (!stopped) {
				held.set(next);
			}
		} catch (error) {
			note(error instanceof Error ? error.message : String(error));
		}
	};
	// One reader at a time; a change during a read causes exactly one more.
	const refresh = (): Promise<void> => {
		if (reading !== null) {
			again = true;
			return reading;
		}
		reading = (async () => {
			do {
				again = false;
				await readOnce();
			} while (again && !stopped);
			reading = null;
		})();
		return reading;
	};

	const stopWatching = watchDirectories(pathsOf(files), () => void refresh());
	const poll = setInterval(() => void refresh(), files.pollMs ?? 10_000);
	poll.unref();
	return {
		current: held.current,
		onChange: held.onChange,
		refresh,
		fault: () => fault,
		async stop() {
			stopped = true;
			clearInterval(poll);
			stopWatching();
			await reading;
			await held.stop();
		},
	};
}

/**
 * Calls back a moment after something changed in the directories of these files, until the returned function is called.
 * A watch on a file itself misses every swap of a mounted Secret after the first; even this one is not to be relied on.
 */
export function watchDirectories(paths: readonly string[], changed: () => void): () => void {
	let settling: NodeJS.Timeout | null = null;
	const watchers: FSWatcher[] = [];
	for (const directory of new Set(paths.map((path) => dirname(path)))) {
		try {
			const watcher = watch(directory, { persistent: false }, () => {
				settling ??= setTimeout(() => {
					settling = null;
					changed();
				}, settleMs).unref();
			});
			// A directory that goes away ends its watch with an error; the poll goes on.
			watcher.on("error", () => watcher.close());
			watchers.push(watcher);
		} catch {
			// No watch to be had (limit of inotify instances): the poll alone does it, later.
		}
	}
	return () => {
		if (settling !== null) {
			clearTimeout(settling);
		}
		for (const watcher of watchers) {
			watcher.close();
		}
	};
}

function pathsOf(files: CertificateFiles): readonly string[] {
	return [files.certFile, files.keyFile, ...(files.caFile === undefined ? [] : [files.caFile])];
}

/** Reads until the pair is whole: the kubelet and other writers are met in the middle of a change. */
async function readStable(files: CertificateFiles): Promise<ServingCertificate> {
	let problem = "";
	for (let attempt = 0; attempt < attempts; attempt += 1) {
		if (attempt > 0) {
			await sleep(attemptGapMs);
		}
		try {
			const { pair, atomic } = await readTogether(files);
			const fault = pairFault(pair);
			if (fault === null && (atomic || (await isSame(files, pair)))) {
				return pair;
			}
			problem = fault ?? "the files keep changing";
		} catch (error) {
			problem = error instanceof Error ? error.message : String(error);
		}
	}
	throw new Error(`Cannot read the certificate ${files.certFile} with key ${files.keyFile}: ${problem}`);
}

/** Plain files are replaced one after the other, so one look may mix two versions; two equal looks do not. */
async function isSame(files: CertificateFiles, pair: ServingCertificate): Promise<boolean> {
	await sleep(attemptGapMs);
	const again = (await readTogether(files)).pair;
	return again.cert === pair.cert && again.key === pair.key && again.ca === pair.ca;
}

/** `atomic`: every file came out of one resolved `..data`, which the kubelet swaps as a whole. */
async function readTogether(
	files: CertificateFiles,
): Promise<{ readonly pair: ServingCertificate; readonly atomic: boolean }> {
	const directories = new Map<string, string | null>();
	for (const path of pathsOf(files)) {
		const directory = dirname(path);
		if (!directories.has(directory)) {
			directories.set(directory, await realpath(join(directory, "..data")).catch(() => null));
		}
	}
	const read = (path: string): Promise<string> =>
		readFile(join(directories.get(dirname(path)) ?? dirname(path), basename(path)), "utf8");
	const [cert, key, ca] = await Promise.all([
		read(files.certFile),
		read(files.keyFile),
		files.caFile === undefined ? undefined : read(files.caFile),
	]);
	const [data, ...others] = directories.values();
	return {
		pair: { cert, key, ...(ca === undefined ? {} : { ca }) },
		atomic: others.length === 0 && data !== null,
	};
}
