import { writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Document } from "yaml";
import { parseAllDocuments } from "yaml";
import type { Edit } from "../core/finding.ts";
import type { Operation } from "../core/patch.ts";
import { applyEdits, toJsonPatch } from "../core/patch.ts";
import type { Manifest, Source } from "./manifests.ts";
import type { Splice } from "./splice.ts";
import { applySplices, spliceOf } from "./splice.ts";

/** The edits that mend one manifest. */
export interface Mending {
	readonly manifest: Manifest;
	readonly edits: readonly Edit[];
}

/** The changes to the file's text that mend a manifest; undefined where its form leaves no simple place for one. */
export function splicesOf({ manifest, edits }: Mending): readonly Splice[] | undefined {
	const operations = toJsonPatch(manifest.object, edits);
	const splices = operations.map((operation: Operation) =>
		spliceOf(manifest.source.text, manifest.document, manifest.prefix, operation),
	);
	return splices.every((splice) => splice !== undefined) ? splices : undefined;
}

/** Writes mended manifests back to their files; gives the files. Comments, order and style stay as they were. */
export function fixFiles(mendings: readonly Mending[]): readonly string[] {
	const files = Map.groupBy(mendings, ({ manifest }) => manifest.file);
	for (const [file, group] of files) {
		const source = group[0]?.manifest.source;
		if (source !== undefined) {
			writeFileSync(file, mendedText(source, group));
		}
	}
	return [...files.keys()];
}

/** The text of a file with its manifests mended. */
export function mendedText(source: Source, mendings: readonly Mending[]): string {
	const splices = mendings.map(splicesOf);
	const wanted = Map.groupBy(mendings, ({ manifest }) => manifest.document);
	if (splices.every((each) => each !== undefined)) {
		const text = applySplices(source.text, splices.flat());
		if (means(text, source, wanted)) {
			return text;
		}
	}
	return rewritten(source, wanted);
}

type Wanted = ReadonlyMap<Document, readonly Mending[]>;

function documentsOf(text: string): readonly Document[] {
	const documents = parseAllDocuments(text, { logLevel: "silent", uniqueKeys: false });
	return Array.isArray(documents) ? documents : [];
}

/** Whether a changed text says what the edits wish, and otherwise what it said before. */
function means(text: string, source: Source, wanted: Wanted): boolean {
	const before = documentsOf(source.text);
	const after = documentsOf(text);
	if (after.length !== before.length || after.some((document) => document.errors.length > 0)) {
		return false;
	}
	return before.every((document, index) =>
		isDeepStrictEqual(after[index]?.toJS(), expected(document, wanted)),
	);
}

function expected(document: Document, wanted: Wanted): unknown {
	const edits = [...wanted]
		.filter(([each]) => each.range?.[0] === document.range?.[0])
		.flatMap(([, mendings]) => mendings.flatMap(prefixed));
	return applyEdits(document.toJS() as unknown, edits);
}

function prefixed({ manifest, edits }: Mending): readonly Edit[] {
	return edits.map((edit) => ({ ...edit, path: [...manifest.prefix, ...edit.path] }));
}

// The parser's own printer keeps comments and order, though not every indentation and quote.
function rewritten(source: Source, wanted: Wanted): string {
	const documents = documentsOf(source.text);
	for (const document of documents) {
		const edits = [...wanted]
			.filter(([each]) => each.range?.[0] === document.range?.[0])
			.flatMap(([, mendings]) => mendings.flatMap(prefixed));
		for (const edit of edits) {
			if (edit.op === "set") {
				document.setIn(edit.path, edit.value);
			} else {
				document.deleteIn(edit.path);
			}
		}
	}
	return documents.map((document) => document.toString({ lineWidth: 0 })).join("");
}
