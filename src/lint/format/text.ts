import { styleText } from "node:util";
import type { LintFinding, LintReport, LintResult, NamespaceImpact } from "../report.ts";
import { printable } from "../report.ts";
import { frameOf } from "./frame.ts";
import { wrapped } from "./wrap.ts";

const styles = { error: "red", warning: "yellow", info: "blue" } as const;
type Style = "red" | "yellow" | "blue" | "bold" | "dim" | "green";

/** What is known of where a report is shown. */
export interface Screen {
	readonly colour: boolean;
	/** Columns of the terminal; undefined where the output is none. */
	readonly width?: number | undefined;
}

type Paint = (style: Style, text: string) => string;

/** The report for people: one paragraph for each finding in the order of the lines, then what was counted. */
export function formatText({ report, sources }: LintResult, { colour, width }: Screen): string {
	const paint: Paint = (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text);
	const lines: string[] = [];
	const linesOf = lineReader(sources);
	for (const finding of inOrder(report.findings)) {
		lines.push(...paragraph(finding, linesOf(finding.file), { paint, width }), "");
	}
	for (const { file, line, message } of report.unreadable) {
		lines.push(
			`${paint("bold", `${printable(file)}:${line}`)}  ${paint("red", "unreadable")}`,
			...wrapped(message, width, indent),
			"",
		);
	}
	for (const { file, line, message } of report.notes) {
		lines.push(
			`${paint("bold", `${printable(file)}:${line}`)}  ${paint("blue", "note")}`,
			...wrapped(message, width, indent),
			"",
		);
	}
	for (const { file, line, rule, reason } of report.ignored) {
		lines.push(
			`${paint("bold", `${printable(file)}:${line}`)}  ${paint("dim", "ignored")}  ${rule}  ${reason}`,
		);
	}
	for (const { rule, needs } of report.skipped) {
		lines.push(paint("dim", `skipped ${rule}: the input has no ${needs.join(" and no ")}`));
	}
	const counted = totals(report.findings, paint);
	const needsGap = counted.length > 0 && lines.at(-1) !== "";
	lines.push(...(needsGap ? [""] : []), ...counted, summary(report, paint));
	if (report.impact !== undefined) {
		lines.push("", ...impactLines(report.impact, paint));
	}
	return `${lines.join("\n")}\n`;
}

const indent = "    ";

/** Files in the order in which they were read, and the findings of each by line and column. */
function inOrder(findings: readonly LintFinding[]): readonly LintFinding[] {
	const byFile = Map.groupBy(findings, ({ file }) => file);
	return [...byFile.values()].flatMap((list) =>
		list.toSorted((one, other) => one.line - other.line || one.column - other.column),
	);
}

/** The lines of a file, split once. */
function lineReader(sources: ReadonlyMap<string, string>): (file: string) => readonly string[] {
	const known = new Map<string, readonly string[]>();
	return (file) => {
		const lines = known.get(file) ?? (sources.get(file) ?? "").split("\n");
		known.set(file, lines);
		return lines;
	};
}

function paragraph(
	finding: LintFinding,
	lines: readonly string[],
	{ paint, width }: { readonly paint: Paint; readonly width: number | undefined },
): readonly string[] {
	const { file, line, column, severity, rule, path, message, hint, fixable } = finding;
	const place = paint("bold", `${printable(file)}:${line}:${column}`);
	const fix = fixable ? paint("dim", "  (fixable with --fix)") : "";
	const frame = frameOf(lines, line, column, width);
	return [
		`${place}  ${paint(styles[severity], severity)}  ${rule}${fix}`,
		...wrapped(`${path}: ${message}`, width, indent),
		...(hint === null ? [] : wrapped(hint, width, indent).map((each) => paint("dim", each))),
		...(frame === undefined ? [] : [paint("dim", frame[0]), paint(styles[severity], frame[1])]),
	];
}

/** How often each rule found something, the most frequent first, and what can be fixed. */
function totals(findings: readonly LintFinding[], paint: Paint): readonly string[] {
	const counts = [...Map.groupBy(findings, ({ rule }) => rule)]
		.map(([rule, list]): [string, number] => [rule, list.length])
		.toSorted(([, one], [, other]) => other - one);
	const most = String(counts[0]?.[1] ?? "").length;
	const fixable = findings.filter((each) => each.fixable).length;
	return [
		...(counts.length < 2 ? [] : counts.map(([rule, count]) => `${String(count).padStart(most)}  ${rule}`)),
		...(fixable === 0 ? [] : [paint("dim", `${fixable} can be fixed with --fix`)]),
	];
}

/** What an assumption would change, a namespace a line. */
function impactLines(
	impact: readonly NamespaceImpact[],
	paint: (style: Style, text: string) => string,
): readonly string[] {
	if (impact.length === 0) {
		return ["The assumption changes nothing in any namespace"];
	}
	const rows = impact.map(({ namespace, now, assumed }) => [
		namespace,
		now.mode === assumed.mode ? now.mode : `${now.mode} → ${assumed.mode}`,
		`${now.errors}`,
		`${assumed.errors}`,
	]);
	const head = ["NAMESPACE", "MODE", "ERRORS NOW", "ERRORS THEN"];
	const widths = head.map((title, column) =>
		Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
	);
	const line = (row: readonly string[]): string =>
		row
			.map((cell, column) => cell.padEnd(widths[column] ?? 0))
			.join("  ")
			.trimEnd();
	const title = `The assumption changes ${number(impact.length, "namespace")}:`;
	return [paint("bold", title), paint("dim", line(head)), ...rows.map(line)];
}

function summary(
	{ summary, unreadable, cluster }: LintReport,
	paint: (style: Style, text: string) => string,
): string {
	const parts = [
		number(summary.errors, "error"),
		number(summary.warnings, "warning"),
		...(summary.infos > 0 ? [number(summary.infos, "info")] : []),
		...(summary.ignored > 0 ? [`${summary.ignored} ignored`] : []),
		...(summary.known === undefined ? [] : [`${summary.known} known`]),
		...(unreadable.length > 0 ? [`${unreadable.length} unreadable`] : []),
	];
	const clean = summary.errors + summary.warnings + unreadable.length === 0;
	const where = cluster === undefined ? "" : ` in cluster ${printable(cluster)}`;
	const judged = `${summary.judged} of ${number(summary.documents, "object")} judged${where}`;
	return `${paint(clean ? "green" : "bold", parts.join(", "))}; ${judged}`;
}

function number(count: number, noun: string): string {
	return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
