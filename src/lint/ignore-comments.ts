import type { Document } from "yaml";
import { isNode, visit } from "yaml";

/** A comment `# waymark:ignore RULE reason`, which silences one rule for the document that it stands in. */
export interface IgnoreComment {
	readonly rule: string;
	/** Empty when the author gave none; such a comment silences nothing. */
	readonly reason: string;
}

const form = /^\s*waymark:ignore(?:\s+(\S+))?(?:\s+(\S.*?))?\s*$/;

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
			const match = form.exec(line);
			if (match !== null) {
				const ignore = { rule: match[1] ?? "", reason: match[2] ?? "" };
				if (!found.some((each) => each.rule === ignore.rule && each.reason === ignore.reason)) {
					found.push(ignore);
				}
			}
		}
	}
}
