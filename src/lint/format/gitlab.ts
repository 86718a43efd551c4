import { createHash } from "node:crypto";
import type { Severity } from "../../core/finding.ts";
import type { LintResult } from "../report.ts";

const severities: { readonly [S in Severity]: string } = { error: "major", warning: "minor", info: "info" };

/** A Code Quality report as GitLab reads it (docs.gitlab.com, ci/testing/code_quality, "Code Quality report format"). */
export function formatGitlab({ report }: LintResult): string {
	const seen = new Map<string, number>();
	const issue = (
		name: string,
		severity: string,
		description: string,
		{ file, line, key }: { readonly file: string; readonly line: number; readonly key: readonly unknown[] },
	): object => {
		const hash = createHash("sha256")
			.update(JSON.stringify([name, file, ...key]))
			.digest("hex")
			.slice(0, 32);
		const count = (seen.get(hash) ?? 0) + 1;
		seen.set(hash, count);
		return {
			description,
			check_name: name,
			fingerprint: count === 1 ? hash : `${hash}:${count}`,
			severity,
			location: { path: file, lines: { begin: line } },
		};
	};
	const issues = [
		...report.findings.map(({ rule, severity, path, message, hint, file, line, object }) =>
			issue(rule, severities[severity], `${path}: ${message}${hint === null ? "" : `. ${hint}`}`, {
				file,
				line,
				key: [object, path, message],
			}),
		),
		...report.unreadable.map(({ file, line, message }) =>
			issue("unreadable", "blocker", message, { file, line, key: [message] }),
		),
		...report.notes.map(({ file, line, message }) =>
			issue("note", "info", message, { file, line, key: [message] }),
		),
	];
	return `${JSON.stringify(issues, undefined, 2)}\n`;
}
