import { styleText } from "node:util";
import type { LintFinding, LintReport, LintResult, NamespaceImpact } from "../report.ts";
import { printable } from "../report.ts";

const styles = { error: "red", warning: "yellow", info: "blue" } as const;
type Style = "red" | "yellow" | "blue" | "bold" | "dim" | "green";

/** The report for people: one paragraph for each finding, then what was counted. */
export function formatText({ report }: LintResult, colour: boolean): string {
	const paint = (style: Style, text: string): string =>
		colour ? styleText(style, text, { validateStream: false }) : text;
	const lines: string[] = [];
	for (const finding of report.findings) {
		lines.push(...paragraph(finding, paint));
	}
	for (const { file, line, message } of report.unreadable) {
		lines.push(
			`${paint("bold", `${printable(file)}:${line}`)}  ${paint("red", "unreadable")}`,
			`    ${message}`,
		);
	}
	for (const { file, line, message } of report.notes) {
		lines.push(`${paint("bold", `${printable(file)}:${line}`)}  ${paint("blue", "note")}`, `    ${message}`);
	}
	for (const { file, line, rule, reason } of report.ignored) {
		lines.push(
			`${paint("bold", `${printable(file)}:${line}`)}  ${paint("dim", "ignored")}  ${rule}  ${reason}`,
		);
	}
	for (const { rule, needs } of report.skipped) {
		lines.push(paint("dim", `skipped ${rule}: the input has no ${needs.join(" and no ")}`));
	}
	lines.push(summary(report, paint));
	if (report.impact !== undefined) {
		lines.push("", ...impactLines(report.impact, paint));
	}
	return `${lines.join("\n")}\n`;
}

function paragraph(finding: LintFinding, paint: (style: Style, text: string) => string): readonly string[] {
	const { file, line, column, severity, rule, path, message, hint, fixable } = finding;
	const place = paint("bold", `${printable(file)}:${line}:${column}`);
	const fix = fixable ? paint("dim", "  (--fix mends it)") : "";
	return [
		`${place}  ${paint(styles[severity], severity)}  ${rule}${fix}`,
		`    ${path}: ${message}`,
		...(hint === null ? [] : [paint("dim", `    ${hint}`)]),
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

function summary({ summary, unreadable }: LintReport, paint: (style: Style, text: string) => string): string {
	const parts = [
		number(summary.errors, "error"),
		number(summary.warnings, "warning"),
		...(summary.infos > 0 ? [number(summary.infos, "info")] : []),
		...(summary.ignored > 0 ? [`${summary.ignored} ignored`] : []),
		...(summary.known === undefined ? [] : [`${summary.known} known`]),
		...(unreadable.length > 0 ? [`${unreadable.length} unreadable`] : []),
	];
	const clean = summary.errors + summary.warnings + unreadable.length === 0;
	const judged = `${summary.judged} of ${number(summary.documents, "object")} judged`;
	return `${paint(clean ? "green" : "bold", parts.join(", "))}; ${judged}`;
}

function number(count: number, noun: string): string {
	return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
