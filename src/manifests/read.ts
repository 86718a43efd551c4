import { isUtf8 } from "node:buffer";
import { readdirSync, realpathSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import type { Document, Node } from "yaml";
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments } from "yaml";
import { ClusterState } from "../core/cluster-state.ts";
import { coerce } from "../core/coerce.ts";
import type { Path } from "../core/finding.ts";
import { quote } from "../core/finding.ts";
import type { AnyObject, Kind, Resources } from "../core/kinds.ts";
import { conformsToKind, kindOfObject, kinds } from "../core/kinds.ts";
import { pruneNulls } from "../core/prune-nulls.ts";
import type { Settings } from "../core/settings.ts";
import { dialectOf } from "./dialect.ts";
import { parseJsonStream } from "./json-stream.ts";
import { contentOf, differingScalars, KubectlRefusal, kubectlYaml } from "./kubectl-yaml.ts";
import { readWhole } from "./whole-file.ts";

/** A position in a file; both count from 1. */
export interface Position {
	readonly line: number;
	readonly column: number;
}

/** The text of a file and the positions in it. */
export interface Source {
	readonly text: string;
	/** The position of a character, counted from 0. */
	positionAt(offset: number): Position;
}

/** One object of a file. */
export interface Manifest {
	readonly file: string;
	readonly source: Source;
	/** Undefined when Waymark does not know the kind. */
	readonly kind: Kind | undefined;
	readonly object: AnyObject;
	/** The YAML document that the object is (in), with comments; `prefix` leads from it to the object. */
	readonly document: Document;
	readonly prefix: Path;
	/** The field's place, or that of the nearest parent that is written. */
	position(path: Path): Position;
}

/** Input that could not be read as objects. */
export interface Unreadable {
	readonly file: string;
	readonly line: number;
	readonly message: string;
}

/** What a reader should know about the input, and what is no mistake by itself. */
export interface Note {
	readonly file: string;
	readonly line: number;
	readonly message: string;
	/** Whether the file was left out for it. */
	readonly skipped?: true;
}

/** Everything that was read, everything that could not be, and what is worth saying about it. */
export interface Reading {
	readonly manifests: readonly Manifest[];
	readonly unreadable: readonly Unreadable[];
	readonly notes: readonly Note[];
}

const extensions: ReadonlySet<string> = new Set([".yaml", ".yml", ".json"]);

/** The manifests in files, in directories (recursively, sorted) and, for `-`, on the standard input or in what stands for it. */
export function readManifests(paths: readonly string[], input?: string): Reading {
	const unreadable: Unreadable[] = [];
	const readings = paths
		.flatMap((path) => filesOf(path, unreadable))
		.map((file) => readManifestFile(file, input));
	return joinReadings([{ manifests: [], unreadable, notes: [] }, ...readings]);
}

/** Several readings as one, in their order. */
export function joinReadings(readings: readonly Reading[]): Reading {
	return {
		manifests: readings.flatMap((each) => each.manifests),
		unreadable: readings.flatMap((each) => each.unreadable),
		notes: readings.flatMap((each) => each.notes),
	};
}

const skippedFolders: ReadonlySet<string> = new Set(["node_modules", ".git"]);

/**
 * The files that a path stands for: itself, or the YAML and JSON files below it, sorted. Links are followed, and
 * nothing is read twice: a folder of a ConfigMap is made of links, and links can lead round in a circle.
 */
export function filesOf(path: string, unreadable: Unreadable[]): readonly string[] {
	if (path === "-") {
		return [path];
	}
	const files: string[] = [];
	const links: string[] = [];
	const seen = new Set<string>();
	walk(path, true);
	// What a link leads to may be below the path anyway, under its own name.
	const own = new Set(links.length > 0 ? files.map(realPathOf) : []);
	for (const link of links) {
		const real = realPathOf(link);
		if (!own.has(real)) {
			own.add(real);
			files.push(link);
		}
	}
	return files.toSorted();

	function walk(place: string, named: boolean): void {
		try {
			const stats = statSync(place);
			if (stats.isDirectory()) {
				const real = realpathSync(place);
				if (!seen.has(real)) {
					seen.add(real);
					enter(place);
				}
			} else if (named || (stats.isFile() && extensions.has(extname(place)))) {
				files.push(place);
			} else if (extensions.has(extname(place))) {
				// To read a pipe is to wait until somebody writes.
				unreadable.push({ file: place, line: 1, message: "is no regular file" });
			}
		} catch (error) {
			// A link that leads nowhere hides nothing unless it is called a manifest; a closed folder may hide anything.
			if (named || extensions.has(extname(place)) || codeOf(error) !== "ENOENT") {
				unreadable.push({ file: place, line: 1, message: reasonOf(error) });
			}
		}
	}

	function enter(folder: string): void {
		const later: string[] = [];
		for (const entry of readdirSync(folder, { withFileTypes: true })) {
			const place = join(folder, entry.name);
			if (entry.isDirectory() && !skippedFolders.has(entry.name)) {
				walk(place, false);
			} else if (entry.isFile() && extensions.has(extname(entry.name))) {
				files.push(place);
			} else if (entry.isSymbolicLink()) {
				later.push(place);
			} else if (!entry.isDirectory()) {
				walk(place, false);
			}
		}
		for (const place of later) {
			const before = files.length;
			walk(place, false);
			if (files.length === before + 1 && files[before] === place) {
				links.push(place);
				files.pop();
			}
		}
	}
}

/** Where a path really leads; itself where that has gone since it was listed. */
function realPathOf(path: string): string {
	try {
		return realpathSync(path);
	} catch {
		return path;
	}
}

function codeOf(error: unknown): string | undefined {
	return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

function reasonOf(error: unknown): string {
	const code = codeOf(error);
	if (code === undefined) {
		return error instanceof Error ? error.message : String(error);
	}
	switch (code) {
		case "ENOENT":
			return "no such file or directory";
		case "EACCES":
			return "cannot be read: permission denied";
		default:
			return `cannot be read (${code})`;
	}
}

/** The manifests in one file, or on the standard input for `-`; a text that is given stands for that. */
export function readManifestFile(file: string, input?: string): Reading {
	try {
		if (file === "-" && input !== undefined) {
			return readManifestBytes(Buffer.from(input), "<stdin>");
		}
		// Descriptor 0 is the standard input.
		return readManifestBytes(readWhole(file === "-" ? 0 : file), file === "-" ? "<stdin>" : file);
	} catch (error) {
		return nothingOf(file, reasonOf(error));
	}
}

/** The manifests in the content of a file; whatever it is, this does not throw. */
export function readManifestBytes(bytes: Buffer, file: string): Reading {
	if (!isUtf8(bytes)) {
		// kubectl refuses it too; read all the same, it would be written back with other characters.
		return nothingOf(file, "is not UTF-8: save it as UTF-8, or leave it out if it is no manifest");
	}
	try {
		return parseManifests(bytes.toString("utf8"), file);
	} catch (error) {
		// The parser recurses: a text can be nested deeper than the stack.
		return nothingOf(file, error instanceof RangeError ? "is nested too deeply" : reasonOf(error));
	}
}

function nothingOf(file: string, message: string): Reading {
	return { manifests: [], unreadable: [{ file, line: 1, message }], notes: [] };
}

/** The objects in a text of YAML documents or JSON, a `List` taken apart; a bad document does not hide the others. */
export function parseManifests(text: string, file: string): Reading {
	const lines = new LineCounter();
	const manifests: Manifest[] = [];
	const unreadable: Unreadable[] = [];
	const notes: Note[] = [];
	const source: Source = {
		text,
		positionAt: (offset) => {
			const { line, col } = lines.linePos(offset);
			return { line: Math.max(line, 1), column: Math.max(col, 1) };
		},
	};
	const stream = parseJsonStream(text, lines);
	const documents: readonly Document.Parsed[] =
		stream ?? parseAllDocuments(withoutLaterMarks(text), { ...kubectlYaml, lineCounter: lines });
	// Only what was parsed has lines.
	unreadable.push(...badSeparators(source, file), ...directives(source, file));
	for (const [index, document] of documents.entries()) {
		const failure = document.errors[0];
		if (failure !== undefined) {
			const line = failure.linePos?.[0].line ?? 1;
			unreadable.push({ file, line, message: (failure.message.split("\n")[0] ?? "").replace(/:$/, "") });
		}
		if (
			stream === undefined &&
			index > 0 &&
			document.directives?.docStart !== true &&
			document.contents !== null
		) {
			const { line } = source.positionAt(document.contents.range?.[0] ?? 0);
			unreadable.push({ file, line, message: "kubectl reads nothing after ..., until the next ---" });
			continue;
		}
		// kubectl takes the last of two equal keys without a word, so such an object is judged all the same.
		if (document.errors.every((error) => error.code === "DUPLICATE_KEY")) {
			const before = manifests.length;
			readDocument(document, file, source, manifests, unreadable);
			if (manifests.slice(before).some(({ kind }) => kind !== undefined)) {
				notes.push(...readOtherwise(document, file, source));
			}
		}
	}
	const dialect = dialectOf(text, unreadable.length > 0);
	if (dialect !== undefined) {
		const { name, line, remedy } = dialect;
		const message = `is skipped: it is ${name} and no manifest yet (${remedy})`;
		return { manifests: [], unreadable: [], notes: [{ file, line, message, skipped: true }] };
	}
	return { manifests, unreadable, notes };
}

/**
 * kubectl reads each document by itself, and passes over the byte order mark that it begins with, as files have that were
 * put together. Every other character stays in its place.
 */
function withoutLaterMarks(text: string): string {
	return text.replaceAll(/^(---[^\n]*?)(\r?\n)\uFEFF/gm, "$1 $2");
}

/** kubectl takes nothing but a comment on the line of a `---` (k8s.io/apimachinery pkg/util/yaml/decoder.go). */
function badSeparators({ text, positionAt }: Source, file: string): readonly Unreadable[] {
	if (/^\uFEFF?\s*\{/.test(text)) {
		return [];
	}
	return [...text.matchAll(/^---(?!-)[ \t]*[^\s#].*$/gm)].map(({ index }) => ({
		file,
		line: positionAt(index).line,
		message: "kubectl takes nothing but a comment behind ---: put the object on the next line",
	}));
}

/** kubectl parts a text at its `---` first, so that a directive before one is a document without a beginning. */
function directives({ text, positionAt }: Source, file: string): readonly Unreadable[] {
	const before = /^\uFEFF?(?:[ \t]*(?:#[^\n]*)?\r?\n)*(?=%(?:YAML|TAG)[ \t])/.exec(text);
	return before === null
		? []
		: [
				{
					file,
					line: positionAt(before[0].length).line,
					message: "kubectl takes no YAML directive: leave the line out",
				},
			];
}

/** More words than this on one document are one habit. */
const mostNotes = 8;

function readOtherwise(document: Document, file: string, { positionAt }: Source): readonly Note[] {
	return differingScalars(document)
		.slice(0, mostNotes)
		.map(({ offset, source, value }) => ({
			file,
			line: positionAt(offset).line,
			message: `${quote(source)} without quotes is ${value} to kubectl, which reads YAML 1.1, and something else to tools that read YAML 1.2: write ${value}, or put it in quotes if the text is meant`,
		}));
}

function readDocument(
	document: Document,
	file: string,
	source: Source,
	manifests: Manifest[],
	unreadable: Unreadable[],
): void {
	let content: unknown;
	try {
		content = contentOf(document);
	} catch (error) {
		const offset = error instanceof KubectlRefusal ? error.offset : (document.range?.[0] ?? 0);
		const { line } = source.positionAt(offset);
		unreadable.push({ file, line, message: error instanceof Error ? error.message : String(error) });
		return;
	}
	if (content === null || content === undefined) {
		return;
	}
	collect(content, [], 0);

	function collect(value: unknown, prefix: Path, depth: number): void {
		if (!isMapping(value)) {
			unreadable.push({
				...place(prefix),
				file,
				message: "is no object: an apiVersion and a kind were expected",
			});
			return;
		}
		const items = itemsOf(value);
		if (items !== undefined && depth === deepestList) {
			unreadable.push({ ...place(prefix), file, message: `is a list in more than ${deepestList} lists` });
			return;
		}
		if (items !== undefined) {
			for (const [index, item] of items.entries()) {
				collect(item, [...prefix, "items", index], depth + 1);
			}
			return;
		}
		if (depth > 0 && typeof (value as Named).kind !== "string") {
			unreadable.push({ ...place(prefix), file, message: "has no kind, and kubectl refuses the list" });
			return;
		}
		manifests.push({
			file,
			source,
			kind: kindOfObject(value),
			object: value as AnyObject,
			document,
			prefix,
			position: (path) => place([...prefix, ...path]),
		});
	}

	function place(path: Path): Position {
		return source.positionAt(offsetOf(document, path));
	}
}

/** Lists in lists, of which nobody writes more than one. */
const deepestList = 4;

interface Named {
	readonly apiVersion?: unknown;
	readonly kind?: unknown;
	readonly items?: unknown;
}

/**
 * The items of a list, which for kubectl is whatever has a kind and `items`; one without a kind and a version is of the
 * list's (k8s.io/apimachinery pkg/apis/meta/v1/unstructured/helpers.go: decodeToList). Undefined: it is no list.
 */
function itemsOf(value: object): readonly unknown[] | undefined {
	const { apiVersion, kind, items } = value as Named;
	if (typeof kind !== "string" || !Array.isArray(items)) {
		return undefined;
	}
	// Other programs have files with a kind and items as well, and kubectl cannot read those.
	if (!kind.endsWith("List") && !items.every(isMapping)) {
		return undefined;
	}
	const itemKind = kind.replace(/List$/, "");
	return items.map((item: unknown) =>
		itemKind !== "" && isMapping(item) && !hasName(item) ? { apiVersion, kind: itemKind, ...item } : item,
	);
}

function isMapping(value: unknown): value is object {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasName({ apiVersion, kind }: Named): boolean {
	return [apiVersion, kind].some((each) => typeof each === "string" && each !== "");
}

function offsetOf(document: Document, path: Path): number {
	let node: unknown = document.contents;
	let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
	for (const step of path) {
		if (isAlias(node)) {
			node = node.resolve(document);
		}
		if (isMap(node)) {
			const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
			if (pair === undefined) {
				return offset;
			}
			offset = (pair.key as Node | null)?.range?.[0] ?? offset;
			node = pair.value;
		} else if (isSeq(node) && typeof step === "number") {
			node = node.items[step];
		} else {
			return offset;
		}
		// A list's item begins where its value begins; a field where its name does.
		if (typeof step === "number" && isNode(node)) {
			offset = node.range?.[0] ?? offset;
		}
	}
	return offset;
}

/** Objects of a world that have no namespace are taken to be in this one, as kubectl would. */
export const fallbackNamespace = "default";

/** The namespace of a manifest's object; "" for kinds without one. */
export function namespaceOf(kind: Kind, object: AnyObject): string {
	const written: unknown = object.metadata?.namespace;
	return kinds[kind].namespaced
		? typeof written === "string" && written !== ""
			? written
			: fallbackNamespace
		: "";
}

/**
 * A world of manifests: every object of a known kind whose shape is right. Only the last of several objects with one
 * name counts, as after `kubectl apply`.
 */
export function worldOf(manifests: readonly Manifest[], settings: Settings): ClusterState {
	const state = new ClusterState(settings, { offline: true });
	for (const { kind, object } of manifests) {
		addToWorld(state, kind, object);
	}
	return state;
}

/**
 * Puts one object into a world as the API server stores it. One of the wrong shape, which the API server would refuse
 * (`misreadingsOf` names it), counts as its author most likely meant it; one of an unknown kind is left out.
 */
export function addToWorld(state: ClusterState, kind: Kind | undefined, object: AnyObject): void {
	if (kind === undefined) {
		return;
	}
	const plain = pruneNulls(object);
	const stored = conformsToKind(kind, plain) ? plain : coerce(plain, kinds[kind].shape).value;
	if (!conformsToKind(kind, stored)) {
		return;
	}
	const namespace = namespaceOf(kind, stored);
	const placed = namespace === "" ? stored : { ...stored, metadata: { ...stored.metadata, namespace } };
	state.set(kind, placed as Resources[typeof kind]);
}
