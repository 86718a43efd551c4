import type { Edit, Finding, Problem, Severity } from "./finding.ts";
import { formatPath } from "./finding.ts";
import type { IndexName, Inventory, MeshFacts } from "./inventory.ts";
import type { AnyObject, Kind, Namespace, Resources } from "./kinds.ts";
import { conformsToKind } from "./kinds.ts";
import type { Policy } from "./policy.ts";
import { parsePolicy } from "./policy.ts";
import { pruneNulls } from "./prune-nulls.ts";
import type { Requester, Rule, RuleContext } from "./rule.ts";
import type { Mode, Settings } from "./settings.ts";
import type { RuleList } from "./triggers.ts";
import { listRules, speakersFor } from "./triggers.ts";
import { reachesFurther } from "./widening.ts";

/** The rules, grouped by the kind they judge. */
export interface Engine {
	readonly rules: readonly Rule[];
	readonly byKind: ReadonlyMap<Kind, RuleList>;
	readonly ids: ReadonlySet<string>;
}

/** What is judged. */
export interface Subject {
	readonly kind: Kind;
	/** The namespace of the request; "" for kinds without one. */
	readonly namespace: string;
	readonly name: string | undefined;
	readonly object: unknown;
	/** The object that an update replaces. */
	readonly old?: unknown;
	readonly requester?: Requester;
	/** The day in UTC, as YYYY-MM-DD: exemptions end by it. */
	readonly today: string;
}

/** An object that a rule asked for and did not find. */
export interface Absence {
	readonly kind: Kind;
	readonly namespace: string;
	readonly name: string;
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
	/** The edits that mend the fixable findings, where the mode allows them. */
	readonly fixes: readonly Edit[];
	readonly faults: readonly RuleFault[];
	/** What the errors rest on not being there; a stale world may only lack it yet. */
	readonly absences: readonly Absence[];
}

/** Most findings of one rule on one object: enough to mend it, few enough to read. */
const mostFindings = 64;

/** Groups rules once, at start. */
export function createEngine(rules: readonly Rule[]): Engine {
	return {
		rules,
		byKind: new Map(
			[...Map.groupBy(rules, (rule) => rule.kind)].map(([kind, list]) => [kind, listRules(list)]),
		),
		ids: new Set(rules.map((rule) => rule.id)),
	};
}

/**
 * The part of an engine that `/mutate` needs: the rules that can fix something, and those that look at the same
 * objects, for a fix may rest on one that the world lacks yet, and they are who notices its absence.
 */
export function fixingPart(engine: Engine): Engine {
	const needed = (rule: Rule): boolean => {
		const fixing = (engine.byKind.get(rule.kind)?.rules ?? []).filter((each) => each.fixable);
		const read = new Set(fixing.flatMap((each) => each.reads));
		// Every namespace is asked for in any case.
		return rule.fixable || rule.reads.some((kind) => kind !== "Namespace" && read.has(kind));
	};
	return { ...createEngine(engine.rules.filter(needed)), ids: engine.ids };
}

/** Judges one object in a world; never throws for anything that the object contains. */
export function evaluate(engine: Engine, inventory: Inventory, given: Subject): Verdict {
	const { subject, shaped } = withoutNulls(given);
	const list = engine.byKind.get(subject.kind);
	const place = subject.kind === "Namespace" ? (subject.name ?? "") : subject.namespace;
	if (
		list === undefined ||
		isExemptNamespace(place, inventory.settings) ||
		typeof subject.object !== "object" ||
		subject.object === null
	) {
		return allowed("off", undefined);
	}
	const policy = policyOf(subject, shaped, inventory);
	const mode = subject.kind === "Namespace" ? "enforce" : policy.mode;
	if (mode === "off") {
		return allowed(mode, policy);
	}
	const world = new RecordingInventory(inventory);
	const run: Run = { engine, subject, place, policy, mode, world, faults: [], absences: [] };
	const findings = judge(run, list, subject.object as Resources[Kind], shaped);
	return decide(run, markInherited(run, list.rules, findings));
}

/** The namespaces that Kubernetes makes. Not all of `kube-*`: a tenant may be able to create one of that name. */
export const systemNamespaces: ReadonlySet<string> = new Set([
	"kube-system",
	"kube-public",
	"kube-node-lease",
]);

/** Whether nothing in a namespace is judged: Kubernetes' own are not, nor those that the configuration names. */
export function isExemptNamespace(namespace: string, settings: Settings): boolean {
	return systemNamespaces.has(namespace) || settings.exemptNamespaces.has(namespace);
}

/** The subject as it would be stored, and whether its shape is right; only an object that nulls spoil is copied. */
function withoutNulls(subject: Subject): { readonly subject: Subject; readonly shaped: boolean } {
	if (conformsToKind(subject.kind, subject.object)) {
		return { subject, shaped: true };
	}
	const object = pruneNulls(subject.object);
	const shaped = conformsToKind(subject.kind, object);
	return { subject: shaped ? { ...subject, object } : subject, shaped };
}

interface Run {
	readonly engine: Engine;
	readonly subject: Subject;
	readonly place: string;
	readonly policy: Policy;
	readonly mode: Mode;
	readonly world: RecordingInventory;
	readonly faults: RuleFault[];
	readonly absences: Absence[];
}

function allowed(mode: Mode, policy: Policy | undefined): Verdict {
	return {
		decision: "allow",
		mode,
		policy,
		findings: [],
		denials: [],
		warnings: [],
		fixes: [],
		faults: [],
		absences: [],
	};
}

/**
 * Whether an object only waits for its finalizers. Istio obeys it until it is gone, so it is judged like any other;
 * but it is not mended: a label that nobody asked for must not stand in the way of the last finalizer.
 */
function isBeingDeleted(object: AnyObject): boolean {
	return (object.metadata?.deletionTimestamp ?? undefined) !== undefined;
}

/** A Namespace is judged by the policy that it would bring. */
function policyOf(subject: Subject, shaped: boolean, inventory: Inventory): Policy {
	return subject.kind === "Namespace" && shaped
		? parsePolicy(subject.name ?? "", subject.object as Namespace, inventory.settings)
		: inventory.policy(subject.namespace);
}

function judge(run: Run, list: RuleList, object: Resources[Kind], shaped: boolean): Finding[] {
	const { subject, policy, world } = run;
	const context: RuleContext = {
		namespace: run.place,
		name: subject.name,
		policy,
		inventory: world,
		old: shapedOld(subject),
		requester: subject.requester,
		today: subject.today,
		ruleIds: run.engine.ids,
		once: rememberAnswers(world, () => context),
	};
	const { severities } = world.settings;
	const findings: Finding[] = [];
	for (const rule of shaped ? speakersFor(list, object, context) : list.rules) {
		const override = severities.get(rule.id);
		if ((!shaped && rule.raw !== true) || override === "off") {
			continue;
		}
		world.begin();
		const before = findings.length;
		try {
			for (const problem of rule.check(object, context)) {
				findings.push(asFinding(rule, override, problem, run));
				if (findings.length - before >= mostFindings) {
					break;
				}
			}
		} catch (error) {
			// What a rule found before it failed may rest on the same mistake.
			findings.length = before;
			run.faults.push({ rule: rule.id, error });
		}
		if (findings.length > before && findings.slice(before).some(({ severity }) => severity === "error")) {
			run.absences.push(...world.absences());
		}
	}
	return findings;
}

interface Remembered {
	readonly question: unknown;
	readonly object: object;
	readonly answer: unknown;
	/** What was asked for in vain on the way: whoever uses the answer rests on that too. */
	readonly missing: readonly Absence[];
}

/** Answers each question once; a handful are asked, so a list is searched faster than a map. */
function rememberAnswers(world: RecordingInventory, context: () => RuleContext): RuleContext["once"] {
	const answers: Remembered[] = [];
	return (question, object) => {
		for (const known of answers) {
			if (known.question === question && known.object === object) {
				world.addAbsences(known.missing);
				// What was remembered with a question is what it answered.
				return known.answer as ReturnType<typeof question>;
			}
		}
		const before = world.absences().length;
		const answer = question(object, context());
		answers.push({ question, object, answer, missing: world.absences().slice(before) });
		return answer;
	};
}

function shapedOld(subject: Subject): AnyObject | undefined {
	return conformsToKind(subject.kind, subject.old) ? subject.old : undefined;
}

function asFinding(rule: Rule, override: Severity | undefined, problem: Problem, run: Run): Finding {
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

/**
 * Ratcheting: an update is refused only for what the object that it replaces did not have. Where it reaches further,
 * a mistake of the whole object is a new one for what is added: an old opt-out is no way out for other hosts.
 */
function markInherited(run: Run, rules: readonly Rule[], findings: readonly Finding[]): readonly Finding[] {
	const { subject } = run;
	if (
		subject.old === undefined ||
		subject.old === null ||
		!findings.some((each) => each.severity === "error")
	) {
		return findings;
	}
	const shaped = conformsToKind(subject.kind, subject.old);
	const oldRun: Run = {
		...run,
		subject: { ...subject, object: subject.old, old: undefined },
		policy: policyOf({ ...subject, object: subject.old }, shaped, run.world),
		faults: [],
		absences: [],
	};
	const ratcheting = listRules(rules.filter((rule) => rule.judgesChange !== true));
	const had = new Map<string, number>();
	for (const finding of judge(oldRun, ratcheting, subject.old as Resources[Kind], shaped)) {
		had.set(identity(finding), (had.get(identity(finding)) ?? 0) + 1);
	}
	const further = reachesFurther(subject.kind, subject.object, subject.old);
	return findings.map((finding) => {
		const left = had.get(identity(finding)) ?? 0;
		if (left === 0 || finding.severity !== "error" || (further && isAboutWhole(finding))) {
			return finding;
		}
		had.set(identity(finding), left - 1);
		return { ...finding, inherited: true };
	});
}

/** Whether a mistake is not that of one item of a list, such as one host. */
function isAboutWhole(finding: Finding): boolean {
	return finding.path.every((step) => typeof step === "string");
}

/** The same mistake at another index of a list is the same mistake. */
function identity(finding: Finding): string {
	return `${finding.rule}\n${finding.message}\n${formatPath(finding.path.filter((step) => typeof step === "string"))}`;
}

function decide(run: Run, findings: readonly Finding[]): Verdict {
	const { mode } = run;
	const shows = mode === "enforce" || mode === "warn";
	const mends = shows && !isBeingDeleted(run.subject.object as AnyObject);
	const denials: Finding[] = [];
	const warnings: Finding[] = [];
	const fixes: Edit[] = [];
	for (const finding of findings) {
		if (finding.severity === "error" && finding.inherited !== true && mode === "enforce") {
			denials.push(finding);
		} else if (finding.severity !== "info" && shows) {
			warnings.push(finding);
		}
		if (finding.fix !== undefined && mends) {
			fixes.push(...finding.fix);
		}
	}
	return {
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
}

/** What the errors rest on not being there, each once; first the Namespace, whose annotations all of them rest on. */
function absencesOf(run: Run, findings: readonly Finding[]): readonly Absence[] {
	if (!findings.some((each) => each.severity === "error")) {
		return [];
	}
	const { subject, place, policy, absences } = run;
	const isKnown = policy.isKnown || subject.kind === "Namespace" || place === "";
	const all = isKnown ? absences : [{ kind: "Namespace" as const, namespace: "", name: place }, ...absences];
	return [...new Map(all.map((each) => [`${each.kind}/${each.namespace}/${each.name}`, each])).values()];
}

/** Passes every question on and remembers which objects were asked for in vain since the last `begin`. */
class RecordingInventory implements Inventory {
	readonly #inner: Inventory;
	#missing: Absence[] = [];

	constructor(inner: Inventory) {
		this.#inner = inner;
	}

	begin(): void {
		if (this.#missing.length > 0) {
			this.#missing = [];
		}
	}

	absences(): readonly Absence[] {
		return this.#missing;
	}

	addAbsences(missing: readonly Absence[]): void {
		for (const each of missing) {
			this.#missing.push(each);
		}
	}

	get settings(): Settings {
		return this.#inner.settings;
	}

	get mesh(): MeshFacts {
		return this.#inner.mesh;
	}

	get offline(): boolean {
		return this.#inner.offline;
	}

	get<K extends Kind>(kind: K, namespace: string, name: string): Resources[K] | undefined {
		const object = this.#inner.get(kind, namespace, name);
		if (object === undefined) {
			this.#missing.push({ kind, namespace, name });
		}
		return object;
	}

	inNamespace<K extends Kind>(kind: K, namespace: string): Iterable<Resources[K]> {
		return this.#inner.inNamespace(kind, namespace);
	}

	all<K extends Kind>(kind: K): Iterable<Resources[K]> {
		return this.#inner.all(kind);
	}

	lookup<I extends IndexName>(name: I, key: string): ReturnType<Inventory["lookup"]> & Iterable<never> {
		return this.#inner.lookup(name, key) as Iterable<never>;
	}

	policy(namespace: string): Policy {
		return this.#inner.policy(namespace);
	}
}
