import type { Document, LineCounter, Range } from "yaml";
import { isNode, parseDocument, visit } from "yaml";
import { kubectlYaml } from "./kubectl-yaml.ts";

/**
 * The objects of a text of JSON that holds several, one behind the other, as `jq '.items[]'` prints them and kubectl reads
 * them (k8s.io/apimachinery pkg/util/yaml, YAMLOrJSONDecoder): each a document whose nodes have their places in the whole
 * text. Undefined for any other text.
 */
export function parseJsonStream(text: string, lines: LineCounter): readonly Document.Parsed[] | undefined {
	const pieces = objectsOf(text);
	if (pieces === undefined || pieces.length < 2) {
		return undefined;
	}
	lines.addNewLine(0);
	for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
		lines.addNewLine(at + 1);
	}
	return pieces.map(([start, end]) => {
		const document = parseDocument(text.slice(start, end), { ...kubectlYaml, prettyErrors: false });
		shift(document, start);
		for (const error of document.errors) {
			error.linePos = [lines.linePos(error.pos[0] + start)];
		}
		return document;
	});
}

/** Where each object begins and ends; undefined where there is anything but objects and the space between them. */
function objectsOf(text: string): readonly (readonly [start: number, end: number])[] | undefined {
	const found: [number, number][] = [];
	let depth = 0;
	let start = 0;
	// Texts as a whole, the brackets, and whatever else is no space.
	for (const { 0: part, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]|[^\s"{}[\]]+|"/gs)) {
		if (part === '"' || (depth === 0 && part !== "{")) {
			return undefined;
		}
		if (part === "{" || part === "[") {
			start = depth === 0 ? index : start;
			depth += 1;
		} else if (part === "}" || part === "]") {
			depth -= 1;
			if (depth === 0) {
				found.push([start, index + 1]);
			}
		}
	}
	return depth === 0 ? found : undefined;
}

function shift(document: Document.Parsed, by: number): void {
	const moved = ([start, value, end]: Range): Range => [start + by, value + by, end + by];
	document.range = moved(document.range);
	visit(document, {
		Node: (_, node) => {
			if (isNode(node) && node.range) {
				node.range = moved(node.range);
			}
		},
	});
}
