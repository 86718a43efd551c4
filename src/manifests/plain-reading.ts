import type { AnyObject, Kind } from "../core/kinds.ts";
import { misreadingsOf } from "./as-meant.ts";
import type { Unreadable } from "./read.ts";
import { readManifestBytes } from "./read.ts";

/** What a world needs of a file, without its text: nothing but values, which one thread can hand to another. */
export interface PlainReading {
	/** How many objects the file has, of whatever kind. */
	readonly count: number;
	/** Those of kinds that Waymark knows, as they are written. */
	readonly objects: readonly { readonly kind: Kind; readonly object: AnyObject }[];
	/** Why the file was left out. */
	readonly skipped: readonly Unreadable[];
	readonly unreadable: readonly Unreadable[];
	/** What the API server would refuse. */
	readonly misreadings: readonly Unreadable[];
}

/** Reads the content of a file; whatever it is, this does not throw. */
export function readPlain(bytes: Buffer, file: string): PlainReading {
	const { manifests, unreadable, notes } = readManifestBytes(bytes, file);
	return {
		count: manifests.length,
		objects: manifests.flatMap(({ kind, object }) => (kind === undefined ? [] : [{ kind, object }])),
		skipped: notes.filter(({ skipped }) => skipped),
		unreadable,
		misreadings: misreadingsOf(manifests),
	};
}

/** The reading of a file of which nothing can be said but why. */
export function nothingRead(file: string, message: string): PlainReading {
	return {
		count: 0,
		objects: [],
		skipped: [],
		unreadable: [{ file, line: 1, message }],
		misreadings: [],
	};
}
