import type { CelCheck } from "./cel.ts";
import type { Problem, Severity } from "./finding.ts";
import type { Gaps } from "./gaps.ts";
import type { Inventory } from "./inventory.ts";
import type { AnyObject, Kind, Resources } from "./kinds.ts";
import type { MeshFacts } from "./mesh.ts";
import type { Policy } from "./policy.ts";
import type { Settings, SettingsFile } from "./settings.ts";

/** What a rule is about; an error of family `validity` means exactly that istiod or the CRD would refuse the object. */
export type Family =
	| "binding"
	| "validity"
	| "capture"
	| "policy"
	| "sidecar-egress"
	| "attachment"
	| "hygiene"
	| "namespace"
	| "reach";

export const families: readonly Family[] = [
	"binding",
	"validity",
	"capture",
	"policy",
	"sidecar-egress",
	"attachment",
	"hygiene",
	"namespace",
	"reach",
];

/** Who makes a request: the API server's word for it. */
export interface Requester {
	readonly username: string;
	readonly groups: readonly string[];
}

/** What a rule may look at besides the object. */
export interface RuleContext {
	readonly kind: Kind;
	/** The namespace of the object, from the request; the name of a Namespace itself. */
	readonly namespace: string;
	/** The object's name; absent with generateName. */
	readonly name: string | undefined;
	readonly policy: Policy;
	readonly inventory: Inventory;
	/** The object that an update replaces, when there is one and its shape is right. */
	readonly old: AnyObject | undefined;
	/** Who asks; undefined outside admission. */
	readonly requester: Requester | undefined;
	/** The day in UTC, as YYYY-MM-DD. */
	readonly today: string;
	/** Where policies are not kept; known to lint and to the auditor, undefined in admission. */
	readonly gaps: Gaps | undefined;
	/** The ids of all rules. */
	readonly ruleIds: ReadonlySet<string>;
	/** What a fact says of an object, worked out once for all rules of this judgement. */
	know<T extends object, Answer>(fact: Fact<T, Answer>, about: T): Answer;
}

/**
 * Something that is worked out about an object: whether it has endpoints, how it is bound. A pure function; by its
 * identity `RuleContext.know` remembers the answer.
 */
export type Fact<T extends object, Answer = boolean> = (object: T, context: RuleContext) => Answer;

/** One page of documentation; its examples run as tests. */
export interface RuleDocs<T> {
	/** One sentence without a final period. */
	readonly summary: string;
	/** What happens to the traffic, and why that matters. */
	readonly why: string;
	/** How to fix it, in general. */
	readonly fix: string;
	/** Where the fact was read: Istio files, documentation pages, RFCs. */
	readonly sources: readonly string[];
	/** The version of Waymark that brought the rule. */
	readonly since: string;
	readonly good: T;
	readonly bad: T;
	/** The rest of the example's cluster. */
	readonly given?: readonly AnyObject[];
	/** The example's cluster configuration. */
	readonly settings?: SettingsFile;
	/** What the example's mesh is known to do. */
	readonly mesh?: Partial<MeshFacts>;
	/** The object that the example's update replaces. */
	readonly old?: T;
	/** Who makes the example's request. */
	readonly requester?: Requester;
}

/**
 * One condition, told in CEL for the API server and again in TypeScript. It sees the object that an update would store,
 * after CRD validation; it must hold wherever the rule finds something to fix, and may hold elsewhere.
 */
export interface SentWhen<T> {
	/** The objects for which it holds, as the end of a sentence: `an entry without a waypoint label`. */
	readonly what: string;
	/** An expression over `object`; it must not fail on an object that the CRD's schema accepts. */
	readonly cel: string;
	holds(object: T): boolean;
}

/** One thing that Waymark judges: metadata and a check. */
export interface Rule<K extends Kind = Kind> {
	readonly id: string;
	readonly kind: K;
	readonly family: Family;
	readonly severity: Severity;
	/** Every kind that the check asks the inventory for; Namespace when it depends on the policy. */
	readonly reads: readonly Kind[];
	/**
	 * The kinds of `reads` that the check asks for by name. A denial may rest on there being no such object, so the
	 * server asks the API server itself before it denies; the ClusterRole allows it to get them. None where absent.
	 */
	readonly confirms?: readonly Kind[];
	/**
	 * Kinds without which the rule would report what it merely cannot see. Where the input of a lint holds no object
	 * of such a kind, the rule is skipped and named; a server never skips.
	 */
	readonly needs?: readonly Kind[];
	/** Whether a finding can carry a fix, which `lint --fix` writes. */
	readonly fixable: boolean;
	/**
	 * Which updates may leave something to fix; the mutating webhook is not sent any other. Only a rule that says it is
	 * fixed on admission, and only the labels of a binding are: whatever else an author wrote stays as it
	 * is written, so that appliers and GitOps find what they sent.
	 */
	readonly sentWhen?: SentWhen<Resources[K]>;
	/** Judges objects whose fields may have any type; all others see only objects of the right shape. */
	readonly seesAnyShape?: true;
	/** Judges objects that are too large for all others, in a time that does not depend on their size. */
	readonly seesAnySize?: true;
	/** Judges every kind that any rule judges; `kind` is that of its examples. */
	readonly everyKind?: true;
	/** Asks where policies are not kept (`RuleContext.gaps`), so that it finds something in lint and the auditor only. */
	readonly asksGaps?: true;
	/** Compares the object with the one that it replaces itself, so an update is never excused by what was there. */
	readonly comparesWithOld?: true;
	readonly docs: RuleDocs<Resources[K]>;
	/**
	 * What the rule is about: it is asked about an object of the right shape only where this holds, and always where it
	 * names nothing. A fact says what the object has, never what other rules need not look at.
	 */
	when?(object: Resources[K], context: RuleContext): boolean;
	check(object: Resources[K], context: RuleContext): Iterable<Problem>;
	/** What follows for others when the object is deleted; only said, never a reason to refuse. */
	onDelete?(object: Resources[K], context: RuleContext): Iterable<Problem>;
	/** What is said of an object of which judging took too long, so that no rule has judged it to its end. */
	onCut?(object: Resources[K], context: RuleContext): Iterable<Problem>;
	/** The same check as the API server can make it without us; a parity test holds it to `check`. */
	readonly cel?: CelCheck;
}

/** Where the page of a rule is, if the configuration says where pages are. */
export function ruleUrl(id: string, { links }: Pick<Settings, "links">): string | undefined {
	return links === undefined ? undefined : `${links}${id}`;
}

/** How a message leads to the page of a rule: by its address, or else by the command that shows it. */
export function rulePage(id: string, settings: Pick<Settings, "links">): string {
	return ruleUrl(id, settings) ?? `waymark explain ${id}`;
}
