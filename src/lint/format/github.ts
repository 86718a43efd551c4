import type { LintFinding, LintResult } from "../report.ts";
import { printable } from "../report.ts";

const commands = { error: "error", warning: "warning", info: "notice" } as const;

/** Workflow commands that GitHub Actions shows at the lines of a change. */
export function formatGithub({ report }: LintResult): string {
	const lines = [
		...report.findings.map(annotation),
		...report.unreadable.map(
			({ file, line, message }) =>
				`::error file=${property(printable(file))},line=${line},title=unreadable::${data(message)}`,
		),
		...report.notes.map(
			({ file, line, message }) =>
				`::notice file=${property(printable(file))},line=${line},title=note::${data(message)}`,
		),
	];
	return lines.map((line) => `${line}\n`).join("");
}

function annotation({ severity, file, line, column, rule, path, message, hint }: LintFinding): string {
	const text = `${path}: ${message}${hint === null ? "" : `\n${hint}`}`;
	return `::${commands[severity]} file=${property(printable(file))},line=${line},col=${column},title=${property(rule)}::${data(text)}`;
}

// GitHub Actions toolkit, packages/core/src/command.ts: escapeData and escapeProperty.
function data(text: string): string {
	return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
	return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
