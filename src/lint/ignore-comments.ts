import type { Document } from "yaml";
import { isNode, visit } from "yaml";

/** A comment `# waymark:ignore RULE reason`, which silences one rule for the document that it stands in. */
export interface IgnoreComment {
	readonly rule: string;
	/** Empty when the author gave none; such a comment silences nothing. */
	readonly reason: string;
}

const word = "waymark:ignore";

/** The rule and the reason of a comment's line; undefined for any other line. */
function parseLine(line: string): IgnoreComment | undefined {
	const text = line.trim();
	const rest = text.slice(word.length);
	if (!text.startsWith(word) || (rest !== "" && rest.trimStart() === rest)) {
		return undefined;
	}
	const [rule = ""] = rest.trimStart().split(/\s/, 1);
	return { rule, reason: rest.trimStart().slice(rule.length).trimStart() };
}

/** Every ignore comment in a document, wherever in it. */
export function ignoreComments(document: Document): readonly IgnoreComment[] {
	const found: IgnoreComment[] = [];
	read(document.commentBefore);
	read(document.comment);
	visit(document, {
		Node: (_, node) => readNode(node),
		Pair: (_, pair) => readNode(pair.key),
	});
	return found;

	function readNode(node: unknown): void {
		if (isNode(node)) {
			read(node.commentBefore);
			read(node.comment);
		}
	}

	function read(comment: string | null | undefined): void {
		for (const line of comment?.split("\n") ?? []) {
			const ignore = parseLine(line);
			const isKnown = found.some((each) => each.rule === ignore?.rule && each.reason === ignore.reason);
			if (ignore !== undefined && !isKnown) {
				found.push(ignore);
			}
		}
	}
}
