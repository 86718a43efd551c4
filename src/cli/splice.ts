import type { Document, Pair } from "yaml";
import { isMap, isNode, isScalar, isSeq, parseDocument, stringify } from "yaml";
import type { Path } from "../core/finding.ts";
import type { Operation } from "../core/patch.ts";

/** Text to put in the place of `[start, end)`. */
export interface Splice {
	readonly start: number;
	readonly end: number;
	readonly text: string;
}

/**
 * The change to a text that carries out one operation and touches nothing else: comments, order, quotes and
 * indentation stay. Undefined where the text's form leaves no simple place for it.
 */
export function spliceOf(
	text: string,
	document: Document,
	prefix: Path,
	operation: Operation,
): Splice | undefined {
	const path = [...prefix, ...stepsOf(operation.path)];
	const key = path.at(-1);
	const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
	if (typeof key !== "string" || !isMap(parent)) {
		return undefined;
	}
	const pair = parent.items.find((each) => (isScalar(each.key) ? each.key.value : each.key) === key);
	if (operation.op === "remove") {
		return pair === undefined || parent.flow === true || parent.items[0] === pair
			? undefined
			: removal(text, pair);
	}
	if (pair !== undefined) {
		return isScalar(pair.value) && pair.value.range && typeof operation.value !== "object"
			? replacement(pair.value.range, operation.value, pair.value.type)
			: undefined;
	}
	return parent.flow === true
		? flowAddition(parent, key, operation.value)
		: blockAddition(text, parent, key, operation.value);
}

function stepsOf(pointer: string): Path {
	return pointer
		.split("/")
		.slice(1)
		.map((step) => {
			const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
			return /^\d+$/.test(name) ? Number(name) : name;
		});
}

type Mapping = { readonly items: readonly Pair[]; readonly range?: readonly [number, number, number] | null };

function replacement(
	range: readonly [number, number, number],
	value: unknown,
	type: string | undefined,
): Splice | undefined {
	if (type === "BLOCK_LITERAL" || type === "BLOCK_FOLDED" || range[0] === range[1]) {
		return undefined;
	}
	const text = type === "QUOTE_DOUBLE" ? JSON.stringify(value) : stringify(value, { lineWidth: 0 }).trimEnd();
	return { start: range[0], end: range[1], text };
}

// JSON is YAML's flow style, and a quoted key and value are right in both.
function flowAddition(parent: Mapping, key: string, value: unknown): Splice | undefined {
	const last = parent.items.at(-1);
	if (parent.range === undefined || parent.range === null) {
		return undefined;
	}
	const text = `${JSON.stringify(key)}: ${JSON.stringify(value)}`;
	const end = last === undefined ? parent.range[0] + 1 : endOf(last);
	return end === undefined ? undefined : { start: end, end, text: last === undefined ? text : `, ${text}` };
}

function blockAddition(text: string, parent: Mapping, key: string, value: unknown): Splice | undefined {
	const first = parent.items[0]?.key;
	const last = parent.items.at(-1);
	const end = last === undefined ? undefined : endOf(last);
	if (!isNode(first) || !first.range || end === undefined) {
		return undefined;
	}
	const column = first.range[0] - (text.lastIndexOf("\n", first.range[0] - 1) + 1);
	const at = lineAfter(text, end);
	const lines = stringify({ [key]: value }, { lineWidth: 0 })
		.trimEnd()
		.split("\n")
		.map((line) => `${" ".repeat(column)}${line}\n`)
		.join("");
	return { start: at, end: at, text: text[at - 1] === "\n" ? lines : `\n${lines}` };
}

function removal(text: string, pair: Pair): Splice | undefined {
	const end = endOf(pair);
	if (!isNode(pair.key) || !pair.key.range || end === undefined) {
		return undefined;
	}
	const start = text.lastIndexOf("\n", pair.key.range[0] - 1) + 1;
	return { start, end: lineAfter(text, end), text: "" };
}

/** Where what a pair says ends, without the comments behind it. */
function endOf(pair: Pair): number | undefined {
	let node: unknown = pair.value ?? pair.key;
	while ((isMap(node) || isSeq(node)) && node.flow !== true && node.items.length > 0) {
		const last: unknown = node.items.at(-1);
		node = isMap(node) ? ((last as Pair).value ?? (last as Pair).key) : last;
	}
	return isNode(node) ? node.range?.[1] : undefined;
}

/** The beginning of the line after a character; a block scalar already ends at one. */
function lineAfter(text: string, offset: number): number {
	if (text[offset - 1] === "\n") {
		return offset;
	}
	const end = text.indexOf("\n", offset);
	return end < 0 ? text.length : end + 1;
}

/** A text with splices made, which must not overlap; those at one place stand in their order. */
export function applySplices(text: string, splices: readonly Splice[]): string {
	let result = "";
	let at = 0;
	for (const splice of splices.toSorted((one, other) => one.start - other.start)) {
		result += text.slice(at, splice.start) + splice.text;
		at = Math.max(at, splice.end);
	}
	return result + text.slice(at);
}

/** What a text of one YAML document means; undefined when it cannot be read. */
export function meaningOf(text: string): unknown {
	const document = parseDocument(text, { logLevel: "silent", uniqueKeys: false });
	return document.errors.length > 0 ? undefined : document.toJS();
}
