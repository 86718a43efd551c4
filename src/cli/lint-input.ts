import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import ignore from "ignore";
import type { Note, Reading, Unreadable } from "../manifests/read.ts";
import { filesOf, joinReadings, readManifestFile } from "../manifests/read.ts";
import type { Streams } from "./verb.ts";

/** Which files to read. */
export interface InputChoice {
	/** Files and folders to judge. */
	readonly paths: readonly string[];
	/** Files and folders that make the world and are not judged. */
	readonly context: readonly string[];
	/** Patterns of files to leave out, as in .gitignore. */
	readonly exclude: readonly string[];
}

/** What was read to be judged, and what was read beside it. */
export interface Input {
	readonly judged: Reading;
	readonly context: Reading;
}

/** The file of patterns, as in .gitignore, that stands where the command runs. */
const ignoreFile = ".waymarkignore";

/** Reads what is judged and its context, saying how far it is when that takes longer than a second. */
export function readInput({ paths, context, exclude }: InputChoice, streams: Streams): Input {
	const isExcluded = exclusion(exclude);
	const judgedFiles = list(paths);
	const own = new Set(judgedFiles.files.map(realPath));
	const contextFiles = list(context);
	const others = contextFiles.files.filter((file) => !own.has(realPath(file)));
	const total = judgedFiles.files.length + others.length;
	const started = performance.now();
	let told = started;
	let count = 0;
	const read = (file: string): Reading => {
		const reading = readManifestFile(file, streams.input);
		count += 1;
		const now = performance.now();
		if (streams.progress !== undefined && now - told > 1000) {
			told = now;
			streams.progress(`read ${count} of ${total} files`);
		}
		return reading;
	};
	const judged = joinReadings([judgedFiles.lost, ...judgedFiles.files.map(read)]);
	const beside = joinReadings([contextFiles.lost, ...others.map(read)]);
	if (told !== started) {
		streams.progress?.("");
	}
	return { judged, context: { ...beside, unreadable: [], notes: beside.unreadable.map(asNote) } };

	function list(places: readonly string[]): { readonly files: readonly string[]; readonly lost: Reading } {
		const unreadable: Unreadable[] = [];
		const files = [...new Set(places.flatMap((path) => filesOf(path, unreadable)))];
		return {
			files: files.filter((file) => !isExcluded(file)),
			lost: { manifests: [], notes: [], unreadable: unreadable.filter(({ file }) => !isExcluded(file)) },
		};
	}
}

/** Nothing of the context is judged, so what cannot be read there is no mistake of the input. */
function asNote({ file, line, message }: Unreadable): Note {
	return { file, line, message: `is not in the context: ${message}` };
}

function exclusion(patterns: readonly string[]): (file: string) => boolean {
	const written = existsSync(ignoreFile) ? readFileSync(ignoreFile, "utf8") : "";
	const matcher = ignore()
		.add(written)
		.add([...patterns]);
	return (file) => {
		const path = relative(".", file).split(sep).join("/");
		// Patterns speak of what is below the folder where the command runs.
		return file !== "-" && ignore.isPathValid(path) && matcher.ignores(path);
	};
}

function realPath(file: string): string {
	try {
		return realpathSync(file);
	} catch {
		return file;
	}
}

/**
 * How code hosts name a file: by its path from the root of the repository, wherever the command runs. Files outside of
 * it, and everything where there is no repository, keep the name that they were given.
 */
export function repositoryPaths(): (file: string) => string {
	const root = repositoryRoot(resolve("."));
	return (file) => {
		if (root === undefined || file === "<stdin>") {
			return file;
		}
		const path = relative(root, resolve(file));
		return path === "" || path.startsWith("..") ? file : path.split(sep).join("/");
	};
}

function repositoryRoot(folder: string): string | undefined {
	if (existsSync(resolve(folder, ".git"))) {
		return folder;
	}
	const parent = dirname(folder);
	return parent === folder ? undefined : repositoryRoot(parent);
}
