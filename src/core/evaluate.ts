import type { Absence } from "./absence.ts";
import type { Engine } from "./engine.ts";
import { isExemptNamespace } from "./exempt-namespaces.ts";
import type { RuleList } from "./facts.ts";
import { Facts } from "./facts.ts";
import type { Edit, Finding, Problem, Severity } from "./finding.ts";
import { withContact } from "./finding.ts";
import type { Gaps } from "./gaps.ts";
import type { Inventory } from "./inventory.ts";
import type { AnyObject, Kind, Namespace, ObjectReading, Resources } from "./kinds.ts";
import { readObject } from "./kinds.ts";
import type { Policy } from "./policy.ts";
import { parsePolicy } from "./policy.ts";
import { isRestorer } from "./policy-editors.ts";
import { pruneNulls } from "./prune-nulls.ts";
import type { Widening } from "./ratchet.ts";
import { markInherited } from "./ratchet.ts";
import { RecordingInventory } from "./recording-inventory.ts";
import type { Requester, Rule, RuleContext } from "./rule.ts";
import type { Mode } from "./settings.ts";
import type { IsSpent } from "./verdict-cut.ts";
import { VerdictCut } from "./verdict-cut.ts";
import { widensEgress } from "./widening.ts";

/** What is judged. */
export interface Subject {
	readonly kind: Kind;
	/** The namespace of the request; "" for kinds without one. */
	readonly namespace: string;
	readonly name: string | undefined;
	readonly object: unknown;
	/** The object that an update replaces. */
	readonly old?: unknown;
	/** The object is about to be deleted: nothing is judged but what follows for others. */
	readonly isDeletion?: true;
	readonly requester?: Requester;
	/** Where policies are not kept in this world, where that was worked out. */
	readonly gaps?: Gaps | undefined;
	/** The day in UTC, as YYYY-MM-DD: exemptions end by it. */
	readonly today: string;
}

/** A rule that threw. */
export interface RuleFault {
	readonly rule: string;
	readonly error: unknown;
}

/** What follows from the findings in this namespace. */
export interface Verdict {
	readonly decision: "allow" | "deny";
	readonly mode: Mode;
	/** Undefined where no policy applies: an exempt namespace. */
	readonly policy: Policy | undefined;
	/** Every finding with the severity it has in this cluster. */
	readonly findings: readonly Finding[];
	/** The findings that deny. */
	readonly denials: readonly Finding[];
	/** The findings that the author is shown without being stopped. */
	readonly warnings: readonly Finding[];
	/** The edits that fix the fixable findings, where the mode allows them. */
	readonly fixes: readonly Edit[];
	/** The findings would deny, but who created the object restores from backups. */
	readonly isRestored?: true;
	readonly faults: readonly RuleFault[];
	/** Judging took too long, and was ended. */
	readonly isCut?: true;
	/** What the errors rest on not being there; a stale world may only lack it yet. */
	readonly absences: readonly Absence[];
}

/** Most findings of one rule on one object: enough to fix it, few enough to read. */
const mostFindings = 64;

/**
 * Judges one object in a world; never throws for anything that the object contains.
 * @param isSpent ends a judgement that takes too long: what `onCut` says is then all that is found
 */
export function evaluate(engine: Engine, inventory: Inventory, given: Subject, isSpent?: IsSpent): Verdict {
	const list = engine.byKind.get(given.kind);
	const place = given.kind === "Namespace" ? (given.name ?? "") : given.namespace;
	if (
		list === undefined ||
		isExemptNamespace(place, inventory.settings) ||
		typeof given.object !== "object" ||
		given.object === null
	) {
		return allowed("off", undefined);
	}
	const { state, object } = readObject(given.kind, given.object);
	const subject = object === given.object ? given : { ...given, object };
	const policy = policyOf(subject, state, inventory);
	const mode = subject.kind === "Namespace" ? "enforce" : policy.mode;
	if (mode === "off") {
		return allowed(mode, policy);
	}
	const world = new RecordingInventory(inventory, isSpent);
	const run: Run = {
		engine,
		subject,
		state,
		place,
		policy,
		mode,
		world,
		isOld: false,
		faults: [],
		absences: [],
	};
	try {
		return decide(run, findAll(run, list));
	} catch (error) {
		if (error instanceof VerdictCut) {
			return { ...decide(run, judgeCut(run, list)), absences: [], isCut: true };
		}
		throw error;
	}
}

function findAll(run: Run, list: RuleList): readonly Finding[] {
	if (run.subject.isDeletion === true) {
		return run.state === "right" ? judgeDeletion(run, list) : [];
	}
	return cut(ratchet(run, list, judge(run, list)));
}

interface Run {
	readonly engine: Engine;
	readonly subject: Subject;
	readonly state: ObjectReading["state"];
	readonly place: string;
	readonly policy: Policy;
	readonly mode: Mode;
	readonly world: RecordingInventory;
	/** The object is the one that an update replaces. */
	readonly isOld: boolean;
	readonly faults: RuleFault[];
	readonly absences: Absence[];
}

const nothing: readonly never[] = [];

function allowed(mode: Mode, policy: Policy | undefined, faults: readonly RuleFault[] = nothing): Verdict {
	return {
		decision: "allow",
		mode,
		policy,
		findings: nothing,
		denials: nothing,
		warnings: nothing,
		fixes: nothing,
		faults,
		absences: nothing,
	};
}

/**
 * Whether an object only waits for its finalizers. Istio obeys it until it is gone, so it is judged like any other;
 * but it is not fixed: a label that nobody asked for must not stand in the way of the last finalizer.
 */
function isBeingDeleted(object: AnyObject): boolean {
	return (object.metadata?.deletionTimestamp ?? undefined) !== undefined;
}

/** A Namespace is judged by the policy that it would bring. */
function policyOf(subject: Subject, state: ObjectReading["state"], inventory: Inventory): Policy {
	return subject.kind === "Namespace" && state === "right"
		? parsePolicy(subject.name ?? "", subject.object as Namespace, inventory.settings)
		: inventory.policy(subject.namespace);
}

function judge(run: Run, list: RuleList): Finding[] {
	const { world, subject, state } = run;
	const { severities } = world.settings;
	// Rules that see any shape and size look for themselves.
	const object = subject.object as Resources[Kind];
	const facts = new Facts(list, object, world);
	const context = contextOf(run, facts);
	const findings: Finding[] = [];
	for (const place of state === "right" ? facts.concerned(context) : list.all) {
		const rule = list.rules[place];
		if (rule !== undefined && canSee(rule, state)) {
			const override = severities.get(rule.id);
			if (override !== "off" && !(run.isOld && rule.comparesWithOld === true)) {
				facts.begin(rule);
				ask(rule, override, object, context, run, findings);
			}
		}
	}
	return findings;
}

function canSee(rule: Rule, state: ObjectReading["state"]): boolean {
	return (
		state === "right" || (state === "misshapen" ? rule.seesAnyShape === true : rule.seesAnySize === true)
	);
}

/** What the rules say of a deletion, which is never refused. */
function judgeDeletion(run: Run, list: RuleList): readonly Finding[] {
	return judgeBy(
		run,
		list,
		({ onDelete }) => onDelete,
		(severity) => (severity === "info" ? severity : "warning"),
	);
}

/** What is said of an object whose judgement was ended; an update is excused only where it changes nothing. */
function judgeCut(run: Run, list: RuleList): readonly Finding[] {
	const { object, old, isDeletion } = run.subject;
	if (isDeletion === true || (old !== undefined && old !== null && isUnchanged(object, old))) {
		return [];
	}
	return judgeBy(
		run,
		list,
		({ onCut }) => onCut,
		(severity) => severity,
	);
}

/** What rules say by another check than their usual one. */
function judgeBy(
	run: Run,
	list: RuleList,
	checkOf: (rule: Rule) => Rule["check"] | undefined,
	severityOf: (severity: Severity | undefined) => Severity | undefined,
): readonly Finding[] {
	const { severities } = run.world.settings;
	const object = run.subject.object as Resources[Kind];
	const facts = new Facts(list, object, run.world);
	const context = contextOf(run, facts);
	const findings: Finding[] = [];
	for (const rule of list.rules) {
		const severity = severities.get(rule.id);
		const check = checkOf(rule);
		if (check !== undefined && severity !== "off") {
			facts.begin(rule);
			ask({ ...rule, check }, severityOf(severity), object, context, run, findings);
		}
	}
	return findings;
}

function contextOf(run: Run, facts: Facts): RuleContext {
	const { subject } = run;
	const context: RuleContext = {
		kind: subject.kind,
		namespace: run.place,
		name: subject.name,
		policy: run.policy,
		inventory: run.world,
		old: shapedOld(subject),
		requester: subject.requester,
		today: subject.today,
		gaps: subject.gaps,
		ruleIds: run.engine.ids,
		know: (fact, about) => facts.know(fact, about, context),
	};
	return context;
}

/** Adds what one rule finds, with what its errors rest on not being there. */
function ask(
	rule: Rule,
	override: Severity | undefined,
	object: Resources[Kind],
	context: RuleContext,
	run: Run,
	findings: Finding[],
): void {
	const before = findings.length;
	try {
		for (const problem of rule.check(object, context)) {
			findings.push(asFinding(rule, override, problem, run));
			// An update is compared before its findings are cut: old mistakes must not hide a new one.
			if (findings.length - before >= mostFindings && run.subject.old === undefined && !run.isOld) {
				break;
			}
		}
	} catch (error) {
		if (error instanceof VerdictCut) {
			throw error;
		}
		// What a rule found before it failed may rest on the same mistake.
		findings.length = before;
		run.faults.push({ rule: rule.id, error });
	}
	if (findings.length > before && findings.slice(before).some(({ severity }) => severity === "error")) {
		// There may be more than a call can have arguments.
		for (const absence of run.world.absences()) {
			run.absences.push(absence);
		}
	}
}

function shapedOld({ kind, old }: Subject): AnyObject | undefined {
	const reading = old === undefined ? undefined : readObject(kind, old);
	return reading?.state === "right" ? (reading.object as AnyObject) : undefined;
}

function asFinding(rule: Rule, override: Severity | undefined, found: Problem, run: Run): Finding {
	const { contact } = run.world.settings;
	const problem =
		contact === undefined || found.hint === undefined
			? found
			: { ...found, hint: withContact(found.hint, contact) };
	let severity = override ?? problem.severity ?? rule.severity;
	const exemption = run.policy.exemptions.get(rule.id);
	if (
		severity === "error" &&
		exemption !== undefined &&
		// A Namespace cannot excuse itself from the rules about its own policy.
		run.subject.kind !== "Namespace" &&
		run.subject.today <= exemption.until
	) {
		severity = "warning";
		return { ...problem, rule: rule.id, severity, exemption: rule.id };
	}
	return { ...problem, rule: rule.id, severity };
}

/** Marks what the object that an update replaces had already. */
function ratchet(run: Run, list: RuleList, findings: readonly Finding[]): readonly Finding[] {
	const { kind, object, old } = run.subject;
	if (old === undefined || old === null || !findings.some((each) => each.severity === "error")) {
		return findings;
	}
	if (run.state !== "right" && !isUnchanged(object, old)) {
		// Nothing else was looked at, so what is new cannot be told from what was there.
		return findings;
	}
	const reading = readObject(kind, old);
	const subject = { ...run.subject, object: reading.object, old: undefined };
	const oldRun: Run = {
		...run,
		subject,
		state: reading.state,
		isOld: true,
		policy: policyOf(subject, reading.state, run.world),
		faults: [],
		absences: [],
	};
	return markInherited(findings, judge(oldRun, list), {
		object,
		old,
		widening: wideningOf(kind, object, reading.object, list),
	});
}

/** What an update adds; what only says how traffic goes that some entry lets out carries mistakes of policy to nothing new. */
function wideningOf(kind: Kind, object: unknown, old: unknown, list: RuleList): Widening {
	const widening = widensEgress(kind, object, old);
	return kind === "ServiceEntry" || !widening.any
		? widening
		: { ...widening, rules: new Set(list.rules.filter(isOfPolicy).map(({ id }) => id)) };
}

function isOfPolicy({ family }: Rule): boolean {
	return family === "policy";
}

/** Whether two objects of any shape say the same; one that is nested too deeply to be compared does not. */
function isUnchanged(object: unknown, old: unknown): boolean {
	try {
		return isSame(pruneNulls(object), pruneNulls(old));
	} catch (error) {
		if (error instanceof RangeError) {
			return false;
		}
		throw error;
	}
}

/** Whether an update changes nothing that is judged, such as one that only takes a finalizer away. */
function isSame(object: unknown, old: unknown): boolean {
	const judged = ({
		metadata,
		spec,
	}: {
		readonly metadata?: AnyObject["metadata"];
		readonly spec?: unknown;
	}) => JSON.stringify([metadata?.labels ?? {}, metadata?.annotations ?? {}, spec ?? {}]);
	return typeof old === "object" && old !== null && judged(object as AnyObject) === judged(old);
}

/** At most so many findings of a rule, the new ones first. */
function cut(findings: readonly Finding[]): readonly Finding[] {
	if (findings.length <= mostFindings) {
		return findings;
	}
	const counts = new Map<string, number>();
	const kept = new Set<Finding>();
	for (const isOld of [false, true]) {
		for (const finding of findings) {
			const count = counts.get(finding.rule) ?? 0;
			if ((finding.inherited === true) === isOld && count < mostFindings) {
				counts.set(finding.rule, count + 1);
				kept.add(finding);
			}
		}
	}
	return findings.filter((finding) => kept.has(finding));
}

function decide(run: Run, findings: readonly Finding[]): Verdict {
	const { mode } = run;
	if (findings.length === 0) {
		return allowed(mode, run.policy, run.faults);
	}
	const shows = mode === "enforce" || mode === "warn";
	const fixesIt = shows && !isBeingDeleted(run.subject.object as AnyObject);
	const denials: Finding[] = [];
	const warnings: Finding[] = [];
	const fixes: Edit[] = [];
	const restores = isRestoration(run);
	let isRestored = false;
	for (const finding of findings) {
		const denies = finding.severity === "error" && finding.inherited !== true && mode === "enforce";
		isRestored ||= denies && restores;
		if (denies && !restores) {
			denials.push(finding);
		} else if (finding.severity !== "info" && shows) {
			warnings.push(finding);
		}
		if (finding.fix !== undefined && fixesIt) {
			fixes.push(...finding.fix);
		}
	}
	const verdict: Verdict = {
		decision: denials.length > 0 ? "deny" : "allow",
		mode,
		policy: run.policy,
		findings,
		denials,
		warnings,
		fixes,
		faults: run.faults,
		absences: absencesOf(run, findings),
	};
	return isRestored ? { ...verdict, isRestored } : verdict;
}

/** What an old policy tolerated comes back from a backup; what is too large or misshapen to be judged does not. */
function isRestoration({ subject, state, world }: Run): boolean {
	return subject.old === undefined && state === "right" && isRestorer(subject.requester, world.settings);
}

/** What the errors rest on not being there, each once; first the Namespace, whose annotations all of them rest on. */
function absencesOf(run: Run, findings: readonly Finding[]): readonly Absence[] {
	if (!findings.some((each) => each.severity === "error")) {
		return nothing;
	}
	const { subject, place, policy, absences } = run;
	const isKnown = policy.isKnown || subject.kind === "Namespace" || place === "";
	const all = isKnown ? absences : [{ kind: "Namespace" as const, namespace: "", name: place }, ...absences];
	return [...new Map(all.map((each) => [`${each.kind}/${each.namespace}/${each.name}`, each])).values()];
}
