import type { LintResult } from "../report.ts";

/** The report for programs, as docs/schemas/lint.schema.json describes it. */
export function formatJson({ report }: LintResult): string {
	return `${JSON.stringify(report, null, 2)}\n`;
}
