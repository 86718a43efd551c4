import { printable } from "../report.ts";

/** More columns of a line than these say nothing more, and a manifest may be one line. */
const mostColumns = 100;

/**
 * The line of a file that a finding is about, with the field marked from its first character to the end of what stands
 * there; nothing where the line is not known.
 * @param column counted from 1
 */
export function frameOf(
	lines: readonly string[],
	line: number,
	column: number,
	width: number | undefined,
): readonly [string, string] | undefined {
	const text = lines[line - 1]?.replace(/\r$/, "");
	if (text === undefined || text.trim() === "" || column < 1 || column > text.length) {
		return undefined;
	}
	const gutter = `    ${line} | `;
	const room = Math.max(20, Math.min(mostColumns, (width ?? Number.POSITIVE_INFINITY) - gutter.length));
	// A long line is shown from a little before the field.
	const from = text.length <= room || column < room - 20 ? 0 : column - 11;
	const shown = `${from > 0 ? "…" : ""}${text.slice(from, from + room - 2)}${from + room - 2 < text.length ? "…" : ""}`;
	const at = column - 1 - from + (from > 0 ? 1 : 0);
	const [before, field] = [shown.slice(0, at), fieldIn(shown.slice(at))];
	const mark = "^".repeat(Math.max(1, field.length));
	return [
		`${gutter}${printable(shown.replaceAll("\t", " "))}`,
		`${" ".repeat(gutter.length - 2)}| ${" ".repeat(printable(before.replaceAll("\t", " ")).length)}${mark}`,
	];
}

/** What stands at a place in a line, without the comment after it; of a JSON line, up to the next mark. */
function fieldIn(rest: string): string {
	const quoted = /^"(?:[^"\\]|\\.)*"|^'[^']*'/.exec(rest)?.[0];
	return quoted ?? withoutTail(rest);
}

/** A text without its comment or, where there is none, without the spaces and marks at its end. */
function withoutTail(text: string): string {
	const comment = text.search(/\s#/);
	let end = comment === -1 ? text.length : comment;
	while (comment === -1 && end > 0 && " \t\r,]}…".includes(text.charAt(end - 1))) {
		end -= 1;
	}
	return text.slice(0, end);
}
