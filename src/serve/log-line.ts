import { unprintable } from "../core/finding.ts";

const plainValue = /^[\w.,:;/@*+=()[\]-]+$/;

/**
 * Writes a JSON log line for people: `12:30:05.123 WARN  memory is scarce  usedMegabytes=210`. Values that are more than a
 * word are quoted; a line that is no JSON object stays as it is.
 */
export function formatLine(line: string): string {
	let fields: Readonly<Record<string, unknown>>;
	try {
		fields = JSON.parse(line);
	} catch {
		return line;
	}
	const { level, time, msg, err, ...rest } = fields;
	const clock = typeof time === "string" ? time.slice(11, 23) : "";
	const pairs = Object.entries(rest).map(([key, value]) => `${printable(key)}=${formatValue(value)}`);
	const { stack } = (err ?? {}) as { readonly stack?: unknown };
	const trace = typeof stack === "string" ? stack.split("\n").map((each) => `\n    ${printable(each)}`) : [];
	const head = `${clock} ${String(level).toUpperCase().padEnd(5)} ${printable(String(msg ?? ""))}`;
	return `${[head, ...(pairs.length > 0 ? [pairs.join(" ")] : [])].join("  ")}${trace.join("")}\n`;
}

function formatValue(value: unknown): string {
	const text = typeof value === "string" ? value : JSON.stringify(value);
	return printable(plainValue.test(text) ? text : typeof value === "string" ? JSON.stringify(text) : text);
}

/** A text whose control characters no terminal obeys. */
function printable(text: string): string {
	return text.replace(unprintable, "\u{FFFD}");
}
