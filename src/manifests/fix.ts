import { writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Document } from "yaml";
import { LineCounter, parseAllDocuments } from "yaml";
import type { Edit } from "../core/finding.ts";
import { jsonPointer } from "../core/finding.ts";
import type { Operation } from "../core/patch.ts";
import { applyEdits, toJsonPatch } from "../core/patch.ts";
import { parseJsonStream } from "./json-stream.ts";
import { contentOf, kubectlYaml } from "./kubectl-yaml.ts";
import type { Manifest, Source } from "./read.ts";
import type { Splice } from "./splice.ts";
import { applySplices, spliceOf } from "./splice.ts";

/** The edits that fix one manifest. */
export interface ManifestFix {
	readonly manifest: Manifest;
	readonly edits: readonly Edit[];
}

/** The changes to the file's text that fix a manifest; undefined where its form leaves no simple place for one. */
export function splicesOf({ manifest, edits }: ManifestFix): readonly Splice[] | undefined {
	// A list is written anew as one: its items have no names by which a patch could mean them.
	const isList = (edit: Edit): boolean => edit.op === "set" && Array.isArray(edit.value);
	const lists = edits.flatMap((edit): readonly Operation[] =>
		edit.op === "set" && isList(edit) ? [{ op: "add", path: jsonPointer(edit.path), value: edit.value }] : [],
	);
	const others = edits.filter((edit) => !isList(edit));
	const operations = [...toJsonPatch(manifest.object, others), ...lists];
	const splices = operations.map((operation: Operation) =>
		spliceOf(manifest.source.text, manifest.document, manifest.prefix, operation),
	);
	return splices.every((splice) => splice !== undefined) ? splices : undefined;
}

/** What came of fixing files. */
export interface FixReport {
	readonly files: readonly string[];
	/** What was left as it is, and why, for a person. */
	readonly left: readonly string[];
}

/** Writes fixed manifests back to their files. Comments, order and style stay as they were, else nothing is written. */
export function fixFiles(fixes: readonly ManifestFix[]): FixReport {
	const files: string[] = [];
	const left: string[] = [];
	for (const [file, group] of Map.groupBy(fixes, ({ manifest }) => manifest.file)) {
		const source = group[0]?.manifest.source;
		if (source === undefined) {
			continue;
		}
		const { text, unfixed } = fixedText(source, group);
		left.push(
			...unfixed.map(({ manifest }) => {
				const { line } = manifest.position([]);
				return `${file}:${line}: not fixed, since its form leaves no simple place for the change: do it by hand`;
			}),
		);
		try {
			if (text !== source.text) {
				writeFileSync(file, text);
				files.push(file);
			}
		} catch (error) {
			left.push(`${file}: not fixed, since it cannot be written (${codeOf(error)})`);
		}
	}
	return { files, left };
}

function codeOf(error: unknown): string {
	return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

/** The text of a file with its manifests fixed, and those for which the text's form left no place. */
export function fixedText(
	source: Source,
	fixes: readonly ManifestFix[],
): { readonly text: string; readonly unfixed: readonly ManifestFix[] } {
	const possible = fixes.filter((fix) => splicesOf(fix) !== undefined);
	const whole = spliced(source, possible);
	if (whole !== undefined) {
		return { text: whole, unfixed: fixes.filter((fix) => !possible.includes(fix)) };
	}
	// One of them cannot be made in place, an anchor that stands for two fields, say: the others still can.
	let text = source.text;
	const made: ManifestFix[] = [];
	for (const fix of possible) {
		const next = spliced(source, [...made, fix]);
		if (next !== undefined) {
			text = next;
			made.push(fix);
		}
	}
	return { text, unfixed: fixes.filter((fix) => !made.includes(fix)) };
}

/** The text with the changes made; undefined when it would not say what they wish, and otherwise the same. */
function spliced(source: Source, fixes: readonly ManifestFix[]): string | undefined {
	const text = applySplices(
		source.text,
		fixes.flatMap((fix) => splicesOf(fix) ?? []),
	);
	const wanted = Map.groupBy(fixes, ({ manifest }) => manifest.document.range?.[0]);
	return means(text, source, wanted) ? text : undefined;
}

/** By where their documents begin. */
type Wanted = ReadonlyMap<number | undefined, readonly ManifestFix[]>;

function documentsOf(text: string): readonly Document[] {
	return (
		parseJsonStream(text, new LineCounter()) ?? parseAllDocuments(text, { ...kubectlYaml, uniqueKeys: false })
	);
}

/** Whether a changed text says what the edits wish, and otherwise what it said before. */
function means(text: string, source: Source, wanted: Wanted): boolean {
	const before = documentsOf(source.text);
	const after = documentsOf(text);
	if (after.length !== before.length || after.some((document) => document.errors.length > 0)) {
		return false;
	}
	return before.every((document, index) =>
		isDeepStrictEqual(meaningOf(after[index]), expected(document, wanted)),
	);
}

function meaningOf(document: Document | undefined): unknown {
	return document === undefined ? undefined : contentOf(document);
}

function expected(document: Document, wanted: Wanted): unknown {
	const edits = wanted.get(document.range?.[0]) ?? [];
	return applyEdits(contentOf(document), edits.flatMap(prefixed));
}

function prefixed({ manifest, edits }: ManifestFix): readonly Edit[] {
	return edits.map((edit) => ({ ...edit, path: [...manifest.prefix, ...edit.path] }));
}
