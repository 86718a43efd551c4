import type { Document } from "yaml";
import { isNode, visit } from "yaml";
import { isDay } from "../core/annotations.ts";
import { mention, quote } from "../core/finding.ts";

/** A comment `# waymark:ignore RULE reason until=DATE`, which silences one rule for the document that it stands in. */
export interface IgnoreComment {
	readonly rule: string;
	/** Empty when the author gave none; such a comment silences nothing. */
	readonly reason: string;
	/** The last day on which it holds, as it is written: YYYY-MM-DD in UTC; undefined: for good. */
	readonly until: string | undefined;
	/** The comment's own text, by which its line is found. */
	readonly text: string;
}

export const ignoreWord = "waymark:ignore";

/** The rule and the reason of a comment's line; undefined for any other line. */
function parseLine(line: string): IgnoreComment | undefined {
	const text = line.trim();
	const rest = text.slice(ignoreWord.length);
	if (!text.startsWith(ignoreWord) || (rest !== "" && rest.trimStart() === rest)) {
		return undefined;
	}
	const [rule = "", ...words] = rest.trim().split(/\s+/);
	const dates = words.filter((word) => word.startsWith(untilWord));
	return {
		rule,
		reason: words.filter((word) => !word.startsWith(untilWord)).join(" "),
		until: dates[0]?.slice(untilWord.length),
		text,
	};
}

const untilWord = "until=";

/** Why a comment silences nothing, whatever is found; undefined for one that may. */
export function ignoreFault(
	{ rule, reason, until }: IgnoreComment,
	ruleIds: ReadonlySet<string>,
	today: string,
): string | undefined {
	if (rule === "") {
		return "names no rule";
	}
	if (!ruleIds.has(rule)) {
		return `names ${quote(rule)}, which is no rule: waymark rules lists the ids`;
	}
	if (reason === "") {
		return `gives no reason for ignoring ${mention(rule)}`;
	}
	if (until !== undefined && !isDay(until)) {
		return `ends on ${quote(until)}, which is no day: write until=YYYY-MM-DD`;
	}
	return until !== undefined && until < today
		? `ran out on ${until}: ${mention(rule)} counts again`
		: undefined;
}

/** Every ignore comment in a document, wherever in it. */
export function ignoreComments(document: Document): readonly IgnoreComment[] {
	const found = new Map<string, IgnoreComment>();
	read(document.commentBefore);
	read(document.comment);
	visit(document, {
		Node: (_, node) => readNode(node),
		Pair: (_, pair) => readNode(pair.key),
	});
	return [...found.values()];

	function readNode(node: unknown): void {
		if (isNode(node)) {
			read(node.commentBefore);
			read(node.comment);
		}
	}

	function read(comment: string | null | undefined): void {
		for (const line of comment?.split("\n") ?? []) {
			const ignore = parseLine(line);
			if (ignore !== undefined && !found.has(ignore.text)) {
				found.set(ignore.text, ignore);
			}
		}
	}
}
