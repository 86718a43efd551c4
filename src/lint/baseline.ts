import type { Severity } from "../core/finding.ts";
import type { Judgement } from "./judge.ts";
import type { LintFinding, Remark } from "./report.ts";
import { objectTitle } from "./report.ts";

/** Findings that are known and counted as none, as a file keeps them. */
export interface Baseline {
	readonly version: 1;
	readonly findings: readonly BaselineEntry[];
}

/** One known finding; all but the fingerprint, the severity and the count is for readers. */
export interface BaselineEntry {
	readonly fingerprint: string;
	readonly rule: string;
	/** What it weighed: one that weighs more today is a new one. */
	readonly severity: Severity;
	/** Its object, as people name it: `ServiceEntry shop/payments`. */
	readonly object: string;
	readonly path: string;
	/** How often it is there: overlays repeat an object. */
	readonly count: number;
}

/** A judgement that a baseline was held against, and the baseline without what is no longer found. */
export interface Compared {
	readonly judgement: Judgement;
	readonly shrunk: Baseline;
	/** Entries, or a part of their count, that were not found. */
	readonly stale: readonly BaselineEntry[];
}

/** A file that is no baseline; the message says why. */
export class BaselineError extends Error {
	constructor(file: string, reason: string) {
		super(`Cannot use the baseline ${file}: ${reason}`);
		this.name = "BaselineError";
	}
}

const weights: Readonly<Record<Severity, number>> = { info: 0, warning: 1, error: 2 };

/** Reads what `writeBaseline` wrote; throws a `BaselineError` where it is anything else. */
export function readBaseline(text: string, file: string): Baseline {
	let content: unknown;
	try {
		content = JSON.parse(text);
	} catch (error) {
		throw new BaselineError(file, error instanceof Error ? error.message : String(error));
	}
	const { version, findings } = (typeof content === "object" && content !== null ? content : {}) as Partial<
		Record<string, unknown>
	>;
	if (version !== 1 || !Array.isArray(findings)) {
		throw new BaselineError(file, "it is not what waymark lint --write-baseline writes");
	}
	const wrong = findings.findIndex((each) => !isEntry(each));
	if (wrong >= 0) {
		throw new BaselineError(file, `findings[${wrong}] lacks a fingerprint, a severity or a count`);
	}
	return { version, findings: findings as readonly BaselineEntry[] };
}

function isEntry(value: unknown): value is BaselineEntry {
	if (typeof value !== "object" || value === null) {
		return false;
	}
	const { fingerprint, rule, severity, object, path, count } = value as Partial<Record<string, unknown>>;
	return (
		[fingerprint, rule, object, path].every((each) => typeof each === "string") &&
		typeof severity === "string" &&
		Object.hasOwn(weights, severity) &&
		Number.isSafeInteger(count) &&
		(count as number) > 0
	);
}

/** A baseline as text: one finding a line, in a stable order, so that a diff shows what went away. */
export function writeBaseline({ findings }: Baseline): string {
	const lines = findings.map((each) => `\t\t${JSON.stringify(each)}`);
	return `{\n\t"version": 1,\n\t"findings": [${lines.length === 0 ? "" : `\n${lines.join(",\n")}\n\t`}]\n}\n`;
}

/** Everything that a judgement found, which must carry fingerprints. */
export function baselineOf({ report, fingerprints }: Judgement): Baseline {
	const entries = new Map<string, BaselineEntry>();
	for (const finding of report.findings) {
		const { rule, severity, path, object } = finding;
		const fingerprint = fingerprints.get(finding) ?? "";
		const key = `${fingerprint} ${severity}`;
		const count = (entries.get(key)?.count ?? 0) + 1;
		entries.set(key, { fingerprint, rule, severity, object: objectTitle(object), path, count });
	}
	return { version: 1, findings: [...entries.values()].toSorted(compareEntries) };
}

function compareEntries(one: BaselineEntry, other: BaselineEntry): number {
	return (
		compare(one.object, other.object) ||
		compare(one.rule, other.rule) ||
		compare(one.path, other.path) ||
		compare(one.fingerprint, other.fingerprint) ||
		compare(one.severity, other.severity)
	);
}

function compare(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}

/** Takes what a baseline knows out of the findings of a judgement, each as often as the baseline has it. */
export function compareWithBaseline(judgement: Judgement, baseline: Baseline): Compared {
	const { report, fingerprints } = judgement;
	const left = new Map(baseline.findings.map((entry) => [entry, entry.count]));
	const byFingerprint = Map.groupBy(baseline.findings, ({ fingerprint }) => fingerprint);
	const known = new Set<LintFinding>();
	for (const finding of report.findings) {
		const entry = byFingerprint
			.get(fingerprints.get(finding) ?? "")
			?.find((each) => weights[each.severity] >= weights[finding.severity] && (left.get(each) ?? 0) > 0);
		if (entry !== undefined) {
			left.set(entry, (left.get(entry) ?? 0) - 1);
			known.add(finding);
		}
	}
	const rest = (entry: BaselineEntry): number => left.get(entry) ?? 0;
	return {
		judgement: withoutKnown(judgement, known),
		shrunk: {
			version: 1,
			findings: baseline.findings.flatMap((entry) =>
				rest(entry) < entry.count ? { ...entry, count: entry.count - rest(entry) } : [],
			),
		},
		stale: baseline.findings.flatMap((entry) => (rest(entry) > 0 ? { ...entry, count: rest(entry) } : [])),
	};
}

function withoutKnown(judgement: Judgement, known: ReadonlySet<LintFinding>): Judgement {
	const { report, judged } = judgement;
	const findings = report.findings.filter((finding) => !known.has(finding));
	const count = (severity: Severity): number => findings.filter((each) => each.severity === severity).length;
	return {
		...judgement,
		report: {
			...report,
			summary: {
				...report.summary,
				errors: count("error"),
				warnings: count("warning"),
				infos: count("info"),
				known: known.size,
			},
			findings,
			known: report.findings.filter((finding) => known.has(finding)),
		},
		judged: judged.map((each) => ({
			...each,
			findings: each.findings.filter((finding) => !known.has(finding)),
		})),
	};
}

/** More stale entries than this are told by their number. */
const mostStale = 20;

/** What is to be said of entries that are no longer found, at their lines of the file. */
export function staleNotes(
	{ judgement, stale }: Compared,
	baseline: Baseline,
	file: string,
): readonly Remark[] {
	const present = new Set(judgement.judged.map(({ object }) => objectTitle(object)));
	const fixed = stale.filter(({ object }) => present.has(object));
	const lines = new Map(
		baseline.findings.map(({ fingerprint, severity }, index) => [`${fingerprint} ${severity}`, index + 4]),
	);
	const lineOf = ({ fingerprint, severity }: BaselineEntry): number =>
		lines.get(`${fingerprint} ${severity}`) ?? 1;
	const absent = stale.length - fixed.length;
	const rest = fixed.length - mostStale;
	return [
		...fixed.slice(0, mostStale).map((entry) => ({
			file,
			line: lineOf(entry),
			message: `Stale: ${entry.rule} is not found at ${entry.path} of ${entry.object} any more (--write-baseline takes it out)`,
		})),
		...(rest > 0 ? [{ file, line: 1, message: `Stale: ${rest} more are not found any more` }] : []),
		...(absent > 0
			? [
					{
						file,
						line: 1,
						message: `Stale, or not among what was judged: the objects of ${absent} known ${absent === 1 ? "finding" : "findings"}`,
					},
				]
			: []),
	];
}
