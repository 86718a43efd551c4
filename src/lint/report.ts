import type { Severity } from "../core/finding.ts";
import type { Kind } from "../core/kinds.ts";
import type { Family } from "../core/rule.ts";
import type { Mode } from "../core/settings.ts";

/** What `lint` says about one field; docs/schemas/lint.schema.json describes it for programs. */
export interface LintFinding {
	readonly rule: string;
	readonly family: Family;
	readonly severity: Severity;
	readonly message: string;
	readonly hint: string | null;
	/** The field as people write it: `spec.hosts[0]`. */
	readonly path: string;
	readonly file: string;
	readonly line: number;
	readonly column: number;
	readonly object: ObjectName;
	readonly fixable: boolean;
	/** The page of the rule; null where the configuration names no place of pages. */
	readonly url: string | null;
}

/** Which object a finding is about; null for what the manifest leaves out. */
export interface ObjectName {
	readonly apiVersion: string | null;
	readonly kind: string | null;
	readonly namespace: string | null;
	readonly name: string | null;
}

/** A finding that a `# waymark:ignore RULE reason` silences. */
export interface IgnoredFinding extends LintFinding {
	readonly reason: string;
	/** The last day on which it is silenced, as YYYY-MM-DD. */
	readonly until?: string;
}

/** What an assumption would change in one namespace. */
export interface NamespaceImpact {
	readonly namespace: string;
	/** Errors, and what follows from one, as it is. */
	readonly now: { readonly mode: Mode; readonly errors: number };
	/** The same with the assumption. */
	readonly assumed: { readonly mode: Mode; readonly errors: number };
}

/** A rule that was not run, and the kinds that the input would have to contain. */
export interface SkippedRule {
	readonly rule: string;
	readonly needs: readonly Kind[];
}

/** What is said of a line rather than of an object. */
export interface Remark {
	readonly file: string;
	readonly line: number;
	readonly message: string;
}

/** Everything that a run of `lint` found out. */
export interface LintReport {
	readonly version: 1;
	/** What the configuration calls the cluster (`audit.cluster`); only where a cluster that has a name was judged. */
	readonly cluster?: string;
	readonly summary: {
		/** Objects in the input. */
		readonly documents: number;
		/** Objects that some rule judges. */
		readonly judged: number;
		readonly errors: number;
		readonly warnings: number;
		readonly infos: number;
		readonly ignored: number;
		/** Findings that the baseline knows; only with a baseline. */
		readonly known?: number;
	};
	readonly findings: readonly LintFinding[];
	readonly ignored: readonly IgnoredFinding[];
	/** What the baseline knows, and so counts as no finding; only with a baseline. */
	readonly known?: readonly LintFinding[];
	/** Namespaces in which an assumption about a cluster would change something; only with one. */
	readonly impact?: readonly NamespaceImpact[];
	readonly skipped: readonly SkippedRule[];
	readonly unreadable: readonly Remark[];
	/** What a reader should know of the input, and what is no mistake by itself. */
	readonly notes: readonly Remark[];
}

/** Where in a file a fixed text would stand, for formats that can offer a fix. */
export interface Replacement {
	readonly startLine: number;
	readonly startColumn: number;
	readonly endLine: number;
	readonly endColumn: number;
	readonly text: string;
}

/** A report with what a formatter may want beyond it. */
export interface LintResult {
	readonly report: LintReport;
	/** The objects that were judged, in the order of the input. */
	readonly judged: readonly JudgedObject[];
	/** The text of each file that was judged, by its name; objects of a cluster have none. */
	readonly sources: ReadonlyMap<string, string>;
	readonly fixes: ReadonlyMap<LintFinding, readonly Replacement[]>;
}

/** A result whose files have other names, such as those that a code host gives them. */
export function withFileNames(result: LintResult, nameOf: (file: string) => string): LintResult {
	const { report, judged, sources, fixes } = result;
	const renamed = new Map<{ readonly file: string }, unknown>();
	const rename = <T extends { readonly file: string }>(each: T): T => {
		const known = renamed.get(each) ?? { ...each, file: nameOf(each.file) };
		renamed.set(each, known);
		return known as T;
	};
	return {
		report: {
			...report,
			findings: report.findings.map(rename),
			ignored: report.ignored.map(rename),
			...(report.known === undefined ? {} : { known: report.known.map(rename) }),
			unreadable: report.unreadable.map(rename),
			notes: report.notes.map(rename),
		},
		sources: new Map([...sources].map(([file, text]) => [nameOf(file), text])),
		judged: judged.map((each) => ({ ...rename(each), findings: each.findings.map(rename) })),
		fixes: new Map([...fixes].map(([finding, replacements]) => [rename(finding), replacements])),
	};
}

export interface JudgedObject {
	readonly file: string;
	readonly object: ObjectName;
	readonly findings: readonly LintFinding[];
}

/** The name of an object for people: `Gateway shop/public`. */
export function objectTitle({ kind, namespace, name }: ObjectName): string {
	const place = namespace === null ? "" : `${namespace}/`;
	return `${kind ?? "object"} ${place}${name ?? "without a name"}`;
}

/** A file's name as it may be printed: what would begin a new line, or hide a part of one, is written as an escape. */
export function printable(name: string): string {
	return name.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
		const code = character.codePointAt(0) ?? 0;
		return `\\u{${code.toString(16)}}`;
	});
}
