import type { Bits } from "../reach/bits.ts";
import { rememberSets } from "../reach/bits.ts";
import { columnsOf } from "./people.ts";
import type { Row, Table } from "./rows.ts";
import { namesOf } from "./rows.ts";

/** How a set of namespaces is written into JSON: every name, or the shorter of names and `*` without some. */
export type SetStyle = "names" | "compact";

/**
 * The inventory as JSON (docs/schemas/inventory.schema.json), piece by piece: the names of thousands of namespaces at
 * thousands of hosts do not fit into one string.
 */
export function* inventoryJson(table: Table, style: SetStyle = "names"): Iterable<string> {
	const write = jsonSets(table, style);
	const head = { version: 1, cluster: table.cluster, day: table.day, namespaces: table.namespaces };
	yield `${JSON.stringify(head).slice(0, -1)},"hosts":[`;
	for (const [index, row] of table.rows.entries()) {
		yield `${index === 0 ? "" : ","}\n${rowJson(row, write)}`;
	}
	yield "\n]}\n";
}

/** The sets of namespaces of a row, by their names. */
export const sets = ["may", "can", "gap", "unnamed", "past", "refused"] as const;

function rowJson(row: Row, write: (bits: Bits) => string): string {
	const written = sets.map((name) => `${JSON.stringify(name)}:${write(row[name])}`).join(",");
	const { may, can, gap, unnamed, past, refused, ...rest } = row;
	return `${JSON.stringify(rest).slice(0, -1)},${written}}`;
}

function jsonSets(table: Table, style: SetStyle): (bits: Bits) => string {
	return rememberSets((bits) =>
		JSON.stringify(style === "names" ? namesOf(bits, table) : shortest(bits, table)),
	);
}

/** `*` stands for every namespace, and `-NAME` takes one out. */
function shortest(bits: Bits, table: Table): readonly string[] {
	const names = namesOf(bits, table);
	if (names.length * 2 <= table.namespaces.length) {
		return names;
	}
	const inside = new Set(names);
	return ["*", ...table.namespaces.filter((name) => !inside.has(name)).map((name) => `-${name}`)];
}

/** The columns that the text shows; the others are in every other form. */
const textColumns: ReadonlySet<string> = new Set([
	"HOST",
	"PROTOCOL",
	"TLS",
	"WAY",
	"MAY",
	"CAN",
	"GAP",
	"OWNER",
	"REVIEW BY",
]);

/**
 * The inventory as a table for a terminal; where that is too narrow, each row as a block of lines.
 * @param width columns of the terminal; undefined where there is none
 */
export function inventoryText(table: Table, width?: number): string {
	const columns = columnsOf(table).filter(([name]) => textColumns.has(name));
	const lines = [
		columns.map(([name]) => name),
		...table.rows.map((row) => columns.map(([, read]) => clean(read(row)) || "–")),
	];
	const widths = columns.map((_, index) =>
		Math.min(48, Math.max(...lines.map((line) => line[index]?.length ?? 0))),
	);
	const whole = widths.reduce((sum, each) => sum + each + 2, -2);
	if (width !== undefined && whole > width) {
		return blocksOf(lines);
	}
	return lines
		.map((line) =>
			line
				.map((cell, index) => cell.padEnd(widths[index] ?? 0))
				.join("  ")
				.trimEnd(),
		)
		.map((line) => `${line}\n`)
		.join("");
}

/** Each row as a block: its first cell, and below it what the others have to say, with their names. */
function blocksOf([names = [], ...rows]: readonly (readonly string[])[]): string {
	const indent = Math.max(...names.slice(1).map((name) => name.length));
	return rows
		.map(([first = "", ...cells]) => {
			const said = cells.flatMap((cell, index) =>
				cell === "–" ? [] : [`    ${(names[index + 1] ?? "").padEnd(indent)}  ${cell}\n`],
			);
			return `${first}\n${said.join("")}`;
		})
		.join("\n");
}

/** The inventory as CSV (RFC 4180): a cell that a spreadsheet would take for a formula begins with an apostrophe. */
export function inventoryCsv(table: Table): string {
	const columns = columnsOf(table);
	const lines = [
		columns.map(([name]) => name),
		...table.rows.map((row) => columns.map(([, read]) => read(row))),
	];
	return lines.map((line) => `${line.map(csvCell).join(",")}\r\n`).join("");
}

/** What begins a formula in a spreadsheet (OWASP: CSV injection); a full-width form counts, too. */
const formulaStart = /^[\s\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r]/;

function csvCell(text: string): string {
	const safe = formulaStart.test(text) ? `'${text}` : text;
	return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The inventory as a table of GitHub-flavoured Markdown. */
export function inventoryMarkdown(table: Table): string {
	const columns = columnsOf(table);
	const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
	return [
		line(columns.map(([name]) => name)),
		line(columns.map(() => "---")),
		...table.rows.map((row) => line(columns.map(([, read]) => markdownText(read(row))))),
	].join("");
}

/** Text that Markdown shows as it is: neither markup nor HTML, in one cell. */
export function markdownText(text: string): string {
	return clean(text)
		.replaceAll("&", "&amp;")
		.replaceAll("<", "&lt;")
		.replaceAll(">", "&gt;")
		.replaceAll(/[\\`*_{}[\]()#+!|~]/g, (character) => `\\${character}`)
		.replaceAll(/\b(https?|ftp):/g, "$1&#58;")
		.replaceAll(/\bwww\./g, "www&#46;");
}

/** Control characters would move a terminal's cursor, or end a cell. */
function clean(text: string): string {
	return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ").trim();
}
