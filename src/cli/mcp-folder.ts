import { readdirSync, realpathSync, statSync } from "node:fs";
import { extname, isAbsolute, join, relative, sep } from "node:path";

/** So much of a folder is read for one answer; more is said, not read. */
const mostFiles = 5_000;
const mostEntries = 100_000;
const mostBytes = 32 * 2 ** 20;

const extensions: ReadonlySet<string> = new Set([".yaml", ".yml", ".json"]);
const skippedFolders: ReadonlySet<string> = new Set(["node_modules", ".git"]);

/** What an assistant asks for and may not have; the message says which, and what it may. */
export class NotShownError extends Error {
	constructor(message: string) {
		super(message);
		this.name = "NotShownError";
	}
}

/**
 * The manifests that paths stand for, relative to the folder where the process stands, sorted. Nothing outside of that folder
 * is named, whichever way the path or a link leads there, and no more than 5,000 files of 32 MiB in all: throws
 * `NotShownError`.
 */
export function filesBelow(paths: readonly string[]): readonly string[] {
	const root = realpathSync(".");
	const found = new Map<string, string>();
	let bytes = 0;
	let entries = 0;
	for (const path of paths) {
		walk(path, true);
	}
	return [...found.values()].toSorted();

	function walk(place: string, isNamed: boolean): void {
		const real = realPathOf(place);
		const isOutside = real === undefined || !isBelow(real, root);
		if (isNamed && (isOutside || isAbsolute(place) || !isBelow(join(root, place), root))) {
			// The same words for what is missing: nobody learns here what lies outside.
			throw new NotShownError(
				`${JSON.stringify(place)} is not a file or folder below the one where waymark mcp was started; give paths relative to that one`,
			);
		}
		if (isOutside || found.has(real)) {
			return;
		}
		const stats = statSync(real);
		if (stats.isDirectory()) {
			found.set(real, "");
			enter(place);
			found.delete(real);
		} else if (stats.isFile() && (isNamed || extensions.has(extname(place)))) {
			add(place, real, stats.size);
		} else if (isNamed) {
			throw new NotShownError(`${JSON.stringify(place)} is neither a file nor a folder`);
		}
	}

	function enter(folder: string): void {
		for (const entry of readdirSync(folder, { withFileTypes: true })) {
			entries += 1;
			if (entries > mostEntries) {
				throw new NotShownError(`there are more than ${mostEntries} entries below: name smaller folders`);
			}
			if (!skippedFolders.has(entry.name)) {
				walk(join(folder, entry.name), false);
			}
		}
	}

	function add(place: string, real: string, size: number): void {
		bytes += size;
		found.set(real, place);
		if (bytes > mostBytes || found.size > mostFiles) {
			throw new NotShownError(
				`the paths hold more than ${mostFiles} manifests or ${mostBytes / 2 ** 20} MiB: name fewer or smaller ones`,
			);
		}
	}
}

function realPathOf(place: string): string | undefined {
	try {
		return realpathSync(place);
	} catch {
		return undefined;
	}
}

function isBelow(path: string, root: string): boolean {
	const way = relative(root, path);
	return way === "" || !(way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way));
}
