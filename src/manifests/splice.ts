import type { Document, Node, Pair } from "yaml";
import { isMap, isNode, isScalar, isSeq, stringify } from "yaml";
import type { Path } from "../core/finding.ts";
import type { Operation } from "../core/patch.ts";
import { kubectlYaml } from "./kubectl-yaml.ts";

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
	if (isSeq(parent) && typeof key === "number") {
		const item = parent.items[key];
		return operation.op === "replace" && isNode(item) ? replacement(text, item, operation.value) : undefined;
	}
	if (typeof key !== "string" || !isMap(parent)) {
		return undefined;
	}
	// Of two equal keys kubectl takes the last.
	const pair = parent.items.findLast((each) => (isScalar(each.key) ? each.key.value : each.key) === key);
	if (operation.op === "remove") {
		return pair === undefined ? undefined : removal(text, parent, pair);
	}
	if (pair !== undefined) {
		return isNode(pair.value) ? replacement(text, pair.value, operation.value) : undefined;
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

interface Mapping {
	readonly items: readonly Pair[];
	readonly flow?: boolean;
	readonly range?: readonly [number, number, number] | null;
}

/** Puts a value in the place of a node, in the node's own style where a value of its kind can have it. */
function replacement(text: string, node: Node, value: unknown): Splice | undefined {
	const start = node.range?.[0];
	const end = endOf(node);
	if (start === undefined || end === undefined) {
		return undefined;
	}
	if (start === end) {
		// Nothing is written after the colon.
		const before = text[start - 1] === " " ? "" : " ";
		return { start, end, text: `${before}${inFlow(value)}` };
	}
	if (isSeq(node) && node.flow !== true && Array.isArray(value) && value.length > 0) {
		const margin = `${lineBreak(text)}${" ".repeat(columnOf(text, start))}`;
		return { start, end, text: value.map((item) => `- ${inFlow(item)}`).join(margin) };
	}
	const isBlock = isScalar(node) && (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED");
	const tail = isBlock && text[end - 1] === "\n" ? lineBreak(text) : "";
	return { start, end, text: `${inStyleOf(node, value, text)}${tail}` };
}

function inStyleOf(node: Node, value: unknown, text: string): string {
	const type = isScalar(node) ? node.type : undefined;
	// In JSON everything is quoted.
	if (type === "QUOTE_DOUBLE" || /^\uFEFF?\s*[[{]/.test(text)) {
		return JSON.stringify(value);
	}
	return type === "QUOTE_SINGLE" && typeof value === "string"
		? `'${value.replaceAll("'", "''")}'`
		: inFlow(value);
}

/** A value on one line: right in a block and in flow style. */
function inFlow(value: unknown): string {
	return stringify(value, {
		...kubectlYaml,
		lineWidth: 0,
		collectionStyle: "flow",
		flowCollectionPadding: false,
	}).trimEnd();
}

function lineBreak(text: string): string {
	return text.includes("\r\n") ? "\r\n" : "\n";
}

/** How many characters stand before one on its line; a byte order mark takes no place. */
function columnOf(text: string, offset: number): number {
	const line = text.lastIndexOf("\n", offset - 1) + 1;
	return offset - line - (text[line] === "\uFEFF" ? 1 : 0);
}

// JSON is YAML's flow style, and a quoted key and value are right in both.
function flowAddition(parent: Mapping, key: string, value: unknown): Splice | undefined {
	const last = parent.items.at(-1);
	if (parent.range === undefined || parent.range === null) {
		return undefined;
	}
	const text = `${JSON.stringify(key)}: ${JSON.stringify(value)}`;
	const end = last === undefined ? parent.range[0] + 1 : endOfPair(last);
	return end === undefined ? undefined : { start: end, end, text: last === undefined ? text : `, ${text}` };
}

function blockAddition(text: string, parent: Mapping, key: string, value: unknown): Splice | undefined {
	const first = parent.items[0]?.key;
	const last = parent.items.at(-1);
	const end = last === undefined ? undefined : endOfPair(last);
	if (!isNode(first) || !first.range || end === undefined) {
		return undefined;
	}
	const margin = " ".repeat(columnOf(text, first.range[0]));
	const at = lineAfter(text, end);
	const newLine = lineBreak(text);
	const lines = stringify({ [key]: value }, { ...kubectlYaml, lineWidth: 0 })
		.trimEnd()
		.split("\n")
		.map((line) => `${margin}${line}${newLine}`)
		.join("");
	return { start: at, end: at, text: text[at - 1] === "\n" ? lines : `${newLine}${lines}` };
}

function removal(text: string, parent: Mapping, pair: Pair): Splice | undefined {
	const index = parent.items.indexOf(pair);
	const start = startOfPair(pair);
	const end = endOfPair(pair);
	const next = startOfPair(parent.items[index + 1]);
	if (start === undefined || end === undefined) {
		return undefined;
	}
	if (parent.items.length === 1) {
		return parent.range
			? { start: parent.range[0], end: parent.flow === true ? parent.range[1] : end, text: "{}" }
			: undefined;
	}
	if (index === 0) {
		return next === undefined ? undefined : { start, end: next, text: "" };
	}
	if (parent.flow === true) {
		const before = endOfPair(parent.items[index - 1]);
		return before === undefined ? undefined : { start: before, end, text: "" };
	}
	return { start: text.lastIndexOf("\n", start - 1) + 1, end: lineAfter(text, end), text: "" };
}

function startOfPair(pair: Pair | undefined): number | undefined {
	return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
}

/** Where what a pair says ends, without the comments behind it. */
function endOfPair(pair: Pair | undefined): number | undefined {
	const node = pair?.value ?? pair?.key;
	return isNode(node) ? endOf(node) : undefined;
}

/** Where what a node says ends; a block collection ends with its last item. */
function endOf(node: Node): number | undefined {
	if ((isMap(node) || isSeq(node)) && node.flow !== true && node.items.length > 0) {
		const last: unknown = node.items.at(-1);
		return isMap(node) ? endOfPair(last as Pair) : isNode(last) ? endOf(last) : undefined;
	}
	return node.range?.[1];
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
