import { createHash } from "node:crypto";
import type { Engine } from "../core/engine.ts";
import { createEngine } from "../core/engine.ts";
import { evaluate } from "../core/evaluate.ts";
import type { Finding } from "../core/finding.ts";
import { formatPath, mention } from "../core/finding.ts";
import type { Gaps } from "../core/gaps.ts";
import type { Inventory } from "../core/inventory.ts";
import { alteredInventory } from "../core/inventory.ts";
import type { Kind } from "../core/kinds.ts";
import { aboutOf } from "../core/ratchet.ts";
import type { Rule } from "../core/rule.ts";
import { ruleUrl } from "../core/rule.ts";
import type { AmbientStance, Mode, Settings } from "../core/settings.ts";
import { asMeant } from "../manifests/as-meant.ts";
import type { ManifestFix } from "../manifests/fix.ts";
import { splicesOf } from "../manifests/fix.ts";
import type { Manifest, Reading, Source, Unreadable } from "../manifests/read.ts";
import { namespaceOf } from "../manifests/read.ts";
import { refusalsOf } from "../manifests/refusals.ts";
import type { Splice } from "../manifests/splice.ts";
import type { IgnoreComment } from "./ignore-comments.ts";
import { ignoreComments, ignoreFault, ignoreWord } from "./ignore-comments.ts";
import type {
	IgnoredFinding,
	JudgedObject,
	LintFinding,
	LintResult,
	ObjectName,
	Remark,
	Replacement,
	SkippedRule,
} from "./report.ts";

/** How to judge manifests. */
export interface Judging {
	readonly rules: readonly Rule[];
	readonly inventory: Inventory;
	/** The day in UTC, as YYYY-MM-DD. */
	readonly today: string;
	/** Where policies are not kept in that world; undefined: nobody worked it out. */
	readonly gaps?: Gaps | undefined;
	/** What was read beside the input: it makes the world and is not judged. */
	readonly context?: readonly Manifest[];
	/** Whether to work out where fixes would stand in the text. */
	readonly withReplacements: boolean;
	/** Whether to work out by what a baseline knows each finding again. */
	readonly withFingerprints?: boolean;
}

/** A verdict on every manifest, and what would fix them. */
export interface Judgement extends LintResult {
	readonly manifestFixes: readonly ManifestFix[];
	/** What tells each finding apart from all others, wherever it stands; empty unless asked for. */
	readonly fingerprints: ReadonlyMap<LintFinding, string>;
}

/** What every namespace is taken to have said. */
export interface Assumption {
	readonly ambient?: AmbientStance;
	readonly mode?: Mode;
}

/** The world as if every namespace had said so. */
export function assuming(inventory: Inventory, assumption: Assumption): Inventory {
	return alteredInventory(inventory, {
		policy: (namespace) => ({ ...inventory.policy(namespace), ...assumption }),
	});
}

/** Judges every object of a reading in a world, by the same engine as the webhook. */
export function judgeManifests(reading: Reading, judging: Judging): Judgement {
	const known = [...reading.manifests, ...(judging.context ?? [])];
	const present = new Set(known.flatMap(({ kind }) => kind ?? []));
	const unknownNamespaces = new Map<string, Manifest>();
	const { kept, skipped } = splitRules(judging.rules, present, judging.inventory);
	const engine = createEngine(kept);
	const judged: JudgedObject[] = [];
	const findings: LintFinding[] = [];
	const ignored: IgnoredFinding[] = [];
	const fixes = new Map<LintFinding, readonly Replacement[]>();
	const manifestFixes: ManifestFix[] = [];
	const fingerprints = new Map<LintFinding, string>();
	const ignores = createIgnores(judging, engine);
	const unreadable: Unreadable[] = [...reading.unreadable];
	const note = (finding: Finding, shown: LintFinding, manifest: Manifest): void => {
		if (judging.withFingerprints === true) {
			fingerprints.set(shown, fingerprintOf(finding, manifest, shown.object));
		}
		if (judging.withReplacements && finding.fix !== undefined) {
			fixes.set(shown, replacementsOf({ manifest, edits: finding.fix }));
		}
	};
	for (const written of reading.manifests) {
		const read = readAround(written, engine);
		const { manifest } = read;
		const found = judge(manifest, engine, judging);
		unreadable.push(...refusalsBeside(found, written, read, judging));
		const silencing = ignores.of(manifest);
		if (found === undefined) {
			continue;
		}
		const object = nameOf(manifest);
		const namespace = unknownNamespace(manifest, judging.inventory);
		if (namespace !== undefined && !unknownNamespaces.has(namespace)) {
			unknownNamespaces.set(namespace, manifest);
		}
		const kept: Finding[] = [];
		const shown: LintFinding[] = [];
		for (const finding of found) {
			const shownFinding = show(finding, manifest, object, { engine, settings: judging.inventory.settings });
			const ignore = silencing(finding.rule);
			if (ignore === undefined) {
				kept.push(finding);
				shown.push(shownFinding);
				note(finding, shownFinding, manifest);
			} else {
				ignored.push(ignoredBy(ignore, shownFinding));
			}
		}
		const edits = kept.flatMap((finding) => finding.fix ?? []);
		if (edits.length > 0) {
			manifestFixes.push({ manifest, edits });
		}
		findings.push(...shown);
		judged.push({ file: manifest.file, object, findings: shown });
	}
	const count = (severity: string): number => findings.filter((each) => each.severity === severity).length;
	return {
		report: {
			version: 1,
			summary: {
				documents: reading.manifests.length,
				judged: judged.length,
				errors: count("error"),
				warnings: count("warning"),
				infos: count("info"),
				ignored: ignored.length,
			},
			findings,
			ignored,
			skipped,
			unreadable: unreadable.map(remark),
			notes: [...reading.notes.map(remark), ...notesOn(unknownNamespaces), ...ignores.notes()],
		},
		judged,
		sources: new Map(reading.manifests.map(({ file, source }) => [file, source.text])),
		fixes,
		manifestFixes,
		fingerprints,
	};
}

function remark({ file, line, message }: Remark): Remark {
	return { file, line, message };
}

/** The namespace of a manifest whose policy files do not tell; undefined where it is told, or where there is none. */
function unknownNamespace({ kind, object }: Manifest, inventory: Inventory): string | undefined {
	if (kind === undefined || !inventory.offline) {
		return undefined;
	}
	const namespace = namespaceOf(kind, object);
	return namespace === "" || inventory.policy(namespace).isKnown ? undefined : namespace;
}

/** More namespaces than this are a repository that keeps its Namespaces elsewhere. */
const mostNamespaces = 20;

function notesOn(unknown: ReadonlyMap<string, Manifest>): readonly Remark[] {
	const names = [...unknown];
	const notes = names.slice(0, mostNamespaces).map(([namespace, manifest]) => ({
		file: manifest.file,
		line: manifest.position([]).line,
		message: `Judged by the defaults, without the policy of namespace ${mention(namespace)}: its Namespace is not among the files (--context DIR reads it)`,
	}));
	const [first] = names.slice(mostNamespaces);
	return first === undefined
		? notes
		: [
				...notes,
				{
					file: first[1].file,
					line: first[1].position([]).line,
					message: `Judged by the defaults, without the policies of ${names.length - mostNamespaces} more namespaces`,
				},
			];
}

/** Rules that would take an object for missing which the input could not contain are left out, and named. */
function splitRules(
	rules: readonly Rule[],
	present: ReadonlySet<Kind>,
	inventory: Inventory,
): { readonly kept: readonly Rule[]; readonly skipped: readonly SkippedRule[] } {
	const kept: Rule[] = [];
	const skipped: SkippedRule[] = [];
	for (const rule of rules) {
		const needs = inventory.offline ? (rule.needs ?? []).filter((kind) => !present.has(kind)) : [];
		if (needs.length === 0) {
			kept.push(rule);
		} else if (present.has(rule.kind)) {
			skipped.push({ rule: rule.id, needs });
		}
	}
	return { kept, skipped };
}

/** An object as its author most likely meant it. Kinds with a rule that says so keep their objects as they are. */
function readAround(written: Manifest, engine: Engine): ReturnType<typeof asMeant> {
	const list = written.kind === undefined ? undefined : engine.byKind.get(written.kind);
	return list?.rules.some((rule) => rule.seesAnyShape === true && rule.everyKind !== true) === true
		? { manifest: written, misreadings: [] }
		: asMeant(written);
}

/** What the API server refuses and no finding says. */
function refusalsBeside(
	found: readonly Finding[] | undefined,
	written: Manifest,
	{ manifest, misreadings }: ReturnType<typeof asMeant>,
	{ rules, inventory }: Judging,
): readonly Unreadable[] {
	const errors = (found ?? []).filter(({ severity }) => severity === "error");
	// No rule speaks of its shape where nothing is enforced, and the API server refuses it all the same.
	const isUnsaid = found !== undefined && errors.length === 0 && manifest === written;
	const said = isUnsaid ? asMeant(written).misreadings : misreadings;
	if (!inventory.offline) {
		return said;
	}
	const places = errors
		.filter((error) => rules.find(({ id }) => id === error.rule)?.family === "validity")
		.map(({ path }) => path);
	const lines = new Set(said.map(({ line }) => line));
	return [...said, ...refusalsOf(written, places).filter(({ line }) => !lines.has(line))];
}

function judge(manifest: Manifest, engine: Engine, judging: Judging): readonly Finding[] | undefined {
	const { kind, object } = manifest;
	if (kind === undefined || !engine.byKind.has(kind)) {
		return undefined;
	}
	const name: unknown = object.metadata?.name;
	const verdict = evaluate(engine, judging.inventory, {
		kind,
		namespace: namespaceOf(kind, object),
		name: typeof name === "string" ? name : undefined,
		object,
		today: judging.today,
		gaps: judging.gaps,
	});
	const [fault] = verdict.faults;
	if (fault !== undefined) {
		throw new Error(`Cannot finish: rule ${fault.rule} failed on ${manifest.file}`, { cause: fault.error });
	}
	return judging.inventory.offline ? verdict.findings.map(asSeenFromFiles) : verdict.findings;
}

/** Files are not the cluster: what is not among them may be there, so its absence is a warning. */
function asSeenFromFiles(finding: Finding): Finding {
	const words = ", does not exist: ";
	return finding.severity === "error" && finding.message.includes(words)
		? {
				...finding,
				severity: "warning",
				message: finding.message.replace(words, ", is not among the files: unless the cluster has it, "),
			}
		: finding;
}

function nameOf({ kind, object }: Manifest): ObjectName {
	const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);
	const { metadata } = object;
	return {
		apiVersion: text(object.apiVersion),
		kind: text(object.kind),
		namespace: kind === undefined ? text(metadata?.namespace) : text(namespaceOf(kind, object)),
		name: text(metadata?.name) ?? text(metadata?.generateName),
	};
}

/** The ignore comments of every document: which of them silences a finding, and which silence nothing. */
interface Ignores {
	/** For one object: gives the comment that silences a rule for it, if there is one. */
	of(manifest: Manifest): (rule: string) => IgnoreComment | undefined;
	/** What is to be said of comments that silence nothing, once everything is judged. */
	notes(): readonly Remark[];
}

function createIgnores({ rules, today }: Judging, engine: Engine): Ignores {
	const ruleIds = new Set(rules.map(({ id }) => id));
	const documents = new Map<
		Manifest["document"],
		{ readonly manifest: Manifest; readonly comments: readonly IgnoreComment[] }
	>();
	const used = new Set<IgnoreComment>();
	const sources = new Map<Source, boolean>();
	const usable = new Map<Manifest["document"], ReadonlyMap<string, IgnoreComment>>();
	const commentsOf = (manifest: Manifest): readonly IgnoreComment[] => {
		const { source } = manifest;
		// A file of many documents is searched once.
		const hasAny = sources.get(source) ?? source.text.includes(ignoreWord);
		sources.set(source, hasAny);
		if (!hasAny) {
			return [];
		}
		const known = documents.get(manifest.document);
		const comments = known?.comments ?? ignoreComments(manifest.document);
		documents.set(manifest.document, known ?? { manifest, comments });
		return comments;
	};
	const usableOf = (manifest: Manifest): ReadonlyMap<string, IgnoreComment> => {
		let known = usable.get(manifest.document);
		if (known === undefined) {
			const comments = commentsOf(manifest).filter(
				(comment) => ignoreFault(comment, ruleIds, today) === undefined,
			);
			// The first for a rule holds.
			known = new Map(comments.toReversed().map((comment) => [comment.rule, comment]));
			usable.set(manifest.document, known);
		}
		return known;
	};
	return {
		of(manifest) {
			const comments = usableOf(manifest);
			return (rule) => {
				const comment = comments.get(rule);
				if (comment !== undefined) {
					used.add(comment);
				}
				return comment;
			};
		},
		notes: () =>
			[...documents.values()].flatMap(({ manifest, comments }) => {
				const lineOf = comments.length === 0 ? () => 1 : linesOf(manifest);
				return comments.flatMap((comment) => {
					const fault = ignoreFault(comment, ruleIds, today);
					// A rule that was not run may have found something.
					const isIdle = fault === undefined && !used.has(comment) && engine.ids.has(comment.rule);
					return fault === undefined && !isIdle
						? []
						: {
								file: manifest.file,
								line: lineOf(comment),
								message: `${ignoreWord} ${fault ?? `silences nothing: ${mention(comment.rule)} finds nothing here`}`,
							};
				});
			}),
	};
}

/** The lines of comments: for each the first of its text from where its document begins. */
function linesOf({ source, document, position }: Manifest): (comment: IgnoreComment) => number {
	const { text } = source;
	const offsets = new Map<string, number>();
	const before = text.indexOf(ignoreWord);
	for (const start of [document.range?.[0] ?? 0, before]) {
		for (let at = text.indexOf(ignoreWord, start); at >= 0; at = text.indexOf(ignoreWord, at + 1)) {
			const end = text.indexOf("\n", at);
			const line = text.slice(at, end < 0 ? text.length : end).trim();
			offsets.set(line, offsets.get(line) ?? at);
		}
	}
	return (comment) => {
		const offset = offsets.get(comment.text);
		return offset === undefined ? position([]).line : source.positionAt(offset).line;
	};
}

/**
 * What tells a finding apart from all others, and stays when lines move, messages are reworded, files are renamed or
 * versions of the API change: rule, object, and what the finding is about.
 */
function fingerprintOf(
	finding: Finding,
	{ object }: Manifest,
	{ kind, namespace, name }: ObjectName,
): string {
	return createHash("sha256")
		.update(JSON.stringify([finding.rule, kind, namespace, name, aboutOf(object, finding.path)]))
		.digest("base64url")
		.slice(0, 22);
}

function ignoredBy({ reason, until }: IgnoreComment, finding: LintFinding): IgnoredFinding {
	return { ...finding, reason, ...(until === undefined ? {} : { until }) };
}

function show(
	finding: Finding,
	manifest: Manifest,
	object: ObjectName,
	{ engine, settings }: { readonly engine: Engine; readonly settings: Settings },
): LintFinding {
	const rule = engine.rules.find((each) => each.id === finding.rule);
	return {
		rule: finding.rule,
		family: rule?.family ?? "hygiene",
		severity: finding.severity,
		message: finding.message,
		hint: finding.hint ?? null,
		path: formatPath(finding.path),
		file: manifest.file,
		...manifest.position(finding.path),
		object,
		fixable: finding.fix !== undefined,
		url: ruleUrl(finding.rule, settings) ?? null,
	};
}

function replacementsOf(fix: ManifestFix): readonly Replacement[] {
	const { source } = fix.manifest;
	return (splicesOf(fix) ?? []).map((splice) => replacementOf(splice, source));
}

function replacementOf({ start, end, text }: Splice, source: Source): Replacement {
	const from = source.positionAt(start);
	const to = source.positionAt(end);
	return {
		startLine: from.line,
		startColumn: from.column,
		endLine: to.line,
		endColumn: to.column,
		text,
	};
}
