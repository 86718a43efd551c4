import { wrapped } from "../lint/format/wrap.ts";

/** Where there is no terminal, and what every terminal has. */
const usualWidth = 80;
/** Longer lines are hard to read, however wide a terminal is. */
const widest = 120;

/**
 * The usage of a verb in lines that fit a terminal: its forms, the description of each flag beside it, and what stands between.
 * What fits is left as it is written.
 * @param width columns of the terminal; undefined where there is none
 */
export function usageText(usage: string, width: number = usualWidth): string {
	const columns = Math.min(width, widest);
	return usage
		.split("\n\n")
		.map((block) => partsOf(block.split("\n")).flatMap((part) => fold(part, columns)))
		.map((lines) => lines.join("\n"))
		.join("\n\n");
}

/** What is wrapped as one, and what its lines but the first begin with. */
interface Part {
	readonly lines: readonly string[];
	readonly hanging: string;
	/** Whether words in brackets stay together. */
	readonly isForm: boolean;
}

/** The forms, flags or verbs, and paragraphs of a block; a line that is none of these, such as a command, stays alone. */
function partsOf(lines: readonly string[]): readonly Part[] {
	const column = columnOf(lines);
	const parts: { lines: string[]; readonly hanging: string; readonly isForm: boolean }[] = [];
	let isOpen = false;
	for (const line of lines) {
		const [form] = /^(?:Usage:| {6}) waymark(?: [a-z][a-z-]*)* /.exec(line) ?? [];
		const isFlag = /^ {2}-/.test(line) || ownColumn(line) !== undefined;
		const last = parts.at(-1);
		const isFurther: boolean = isOpen && last !== undefined && (/^ {3,}\S/.test(line) || /^\S/.test(line));
		if (form !== undefined) {
			parts.push({ lines: [line], hanging: " ".repeat(form.length), isForm: true });
		} else if (isFlag) {
			parts.push({ lines: [line], hanging: " ".repeat(column), isForm: false });
		} else if (isFurther && last !== undefined && !line.startsWith("kubectl ")) {
			last.lines.push(line);
		} else {
			parts.push({ lines: [line], hanging: line.startsWith("Exit: ") ? " ".repeat(6) : "", isForm: false });
		}
		isOpen = form !== undefined || isFlag || (isOpen && isFurther) || /^[A-Z]/.test(line);
	}
	return parts;
}

/** Where the descriptions of most of a block's flags begin. */
function columnOf(lines: readonly string[]): number {
	const columns = lines.flatMap((line) => ownColumn(line) ?? []).toSorted((one, other) => one - other);
	return columns[Math.floor(columns.length / 2)] ?? 0;
}

/** Where the description of a flag begins; undefined where one space alone stands before it. */
function ownColumn(line: string): number | undefined {
	return /^( {2}(?:-.*?\S|[a-z]+) {2,})\S/.exec(line)?.[1]?.length;
}

function fold({ lines, hanging, isForm }: Part, width: number): readonly string[] {
	if (lines.every((line) => line.length <= width)) {
		return lines;
	}
	const [first = "", ...others] = lines;
	const text = [first, ...others.map((line) => line.trim())].join(" ");
	if (isForm) {
		const start = text.slice(0, hanging.length);
		// A flag and its value stay on one line where that holds them.
		const glued = text
			.slice(hanging.length)
			.replaceAll(/\[[^[\]]*(?:\[[^\]]*\][^[\]]*)*\]\S*/g, (found) =>
				found.length <= width - hanging.length ? glue(found) : found,
			);
		return wrapped(glued, width, start, hanging).map(unglue);
	}
	const indent = /^ {2}\S/.test(first) ? first.slice(0, ownColumn(first) ?? hanging.length) : "";
	return wrapped(text.slice(indent.length), width, indent, hanging);
}

const gluedSpace = "\u00a0";

function glue(text: string): string {
	return text.replaceAll(" ", gluedSpace);
}

function unglue(text: string): string {
	return text.replaceAll(gluedSpace, " ");
}
