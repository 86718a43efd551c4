import { createHash } from "node:crypto";
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import type { Severity } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { ruleUrl } from "../../core/rule.ts";
import type { Settings } from "../../core/settings.ts";
import type { IgnoredFinding, LintFinding, LintResult, Remark, Replacement } from "../report.ts";
import { objectTitle } from "../report.ts";

const levels: { readonly [S in Severity]: string } = { error: "error", warning: "warning", info: "note" };
const schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/** What SARIF says of the tool. */
export interface SarifTool {
	readonly rules: readonly Rule[];
	readonly version: string;
	/** Where the pages of the rules are. */
	readonly settings: Pick<Settings, "links">;
}

/** SARIF 2.1.0 (OASIS), as code scanning services read it: rule metadata, fingerprints, fixes, suppressions. */
export function formatSarif(result: LintResult, { rules, version, settings }: SarifTool): string {
	const { report, fixes } = result;
	const index = new Map(rules.map((rule, at) => [rule.id, at]));
	const seen = new Map<string, number>();
	const results = [
		...report.findings.map((finding) => resultOf(finding, index, fixes.get(finding) ?? [], seen)),
		...report.ignored.map((finding) => ({
			...resultOf(finding, index, [], seen),
			suppressions: [{ kind: "inSource", justification: (finding as IgnoredFinding).reason }],
		})),
		...(report.known ?? []).map((finding) => ({
			...resultOf(finding, index, [], seen),
			baselineState: "unchanged",
			suppressions: [{ kind: "external", justification: "Known to the baseline" }],
		})),
	];
	const log = {
		$schema: schema,
		version: "2.1.0",
		runs: [
			{
				tool: {
					driver: {
						name: "Waymark",
						semanticVersion: version,
						rules: rules.map((rule) => descriptorOf(rule, settings)),
					},
				},
				// What tells the runs of several clusters apart, for services that keep one of each.
				...(report.cluster === undefined ? {} : { automationDetails: { id: `waymark/${report.cluster}/` } }),
				columnKind: "utf16CodeUnits",
				invocations: [
					{
						executionSuccessful: report.unreadable.length === 0,
						toolExecutionNotifications: [
							...report.unreadable.map((each) => notification("error", each)),
							...report.notes.map((each) => notification("note", each)),
						],
					},
				],
				results,
			},
		],
	};
	return `${JSON.stringify(log, null, 2)}\n`;
}

function notification(level: "error" | "note", { file, line, message }: Remark): object {
	return {
		level,
		message: { text: message },
		locations: [{ physicalLocation: { artifactLocation: artifact(file), region: { startLine: line } } }],
	};
}

function descriptorOf({ id, family, severity, docs }: Rule, settings: Pick<Settings, "links">): object {
	const url = ruleUrl(id, settings);
	return {
		id,
		shortDescription: { text: `${docs.summary}.` },
		fullDescription: { text: docs.why },
		help: { text: `${docs.why}\n\n${docs.fix}`, markdown: `${docs.why}\n\n${docs.fix}` },
		...(url === undefined ? {} : { helpUri: url }),
		defaultConfiguration: { level: levels[severity] },
		properties: { tags: ["istio", "egress", family] },
	};
}

function resultOf(
	finding: LintFinding,
	index: ReadonlyMap<string, number>,
	replacements: readonly Replacement[],
	seen: Map<string, number>,
): object {
	const { rule, severity, message, hint, path, file, line, column, object } = finding;
	const location = {
		physicalLocation: { artifactLocation: artifact(file), region: { startLine: line, startColumn: column } },
		logicalLocations: [{ fullyQualifiedName: `${objectTitle(object)} ${path}`, kind: "member" }],
	};
	return {
		ruleId: rule,
		ruleIndex: index.get(rule) ?? -1,
		level: levels[severity],
		message: { text: `${path}: ${message}${hint === null ? "." : `. ${hint}.`}` },
		locations: [location],
		partialFingerprints: { "waymark/v1": fingerprint(finding, seen) },
		...(replacements.length === 0 ? {} : { fixes: [fixOf(file, hint, replacements)] }),
	};
}

function fixOf(file: string, hint: string | null, replacements: readonly Replacement[]): object {
	return {
		description: { text: hint ?? "Apply the fix" },
		artifactChanges: [
			{
				artifactLocation: artifact(file),
				replacements: replacements.map(({ startLine, startColumn, endLine, endColumn, text }) => ({
					deletedRegion: { startLine, startColumn, endLine, endColumn },
					insertedContent: { text },
				})),
			},
		],
	};
}

function artifact(file: string): object {
	if (file === "<stdin>") {
		return { uri: "stdin" };
	}
	return isAbsolute(file)
		? { uri: pathToFileURL(file).href }
		: { uri: file.replaceAll("\\", "/").split("/").map(encodeURIComponent).join("/") };
}

/** The same finding keeps its fingerprint when lines above it change; equal ones are numbered. */
function fingerprint({ rule, path, message, object, file }: LintFinding, seen: Map<string, number>): string {
	const text = JSON.stringify([rule, path.replaceAll(/\[\d+\]/g, "[]"), message, object, file]);
	const hash = createHash("sha256").update(text).digest("hex").slice(0, 32);
	const count = (seen.get(hash) ?? 0) + 1;
	seen.set(hash, count);
	return `${hash}:${count}`;
}
