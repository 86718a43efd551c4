import type { Engine } from "../core/engine.ts";
import { evaluate } from "../core/evaluate.ts";
import type { Severity } from "../core/finding.ts";
import { formatPath } from "../core/finding.ts";
import type { Inventory } from "../core/inventory.ts";
import type { AnyObject, Kind, Resources, ServiceEntry } from "../core/kinds.ts";
import { kinds } from "../core/kinds.ts";
import type { HostCapture } from "../istio/capture/capture.ts";
import { captureOf } from "../istio/capture/capture.ts";
import { isCaptured } from "../istio/capture/owners.ts";
import type { FoundGaps } from "../reach/gaps.ts";

/** One finding as it is kept and reported: without the object, and short. */
export interface AuditFinding {
	readonly rule: string;
	readonly severity: Severity;
	/** The field as people write it: `spec.hosts[0]`. */
	readonly path: string;
	readonly message: string;
	readonly hint: string | undefined;
}

/** What becomes of the connections to one host: through a waypoint, past it, all refused there, or nobody can say yet. */
export type HostState = "governed" | "direct" | "refused" | "unknown";

export const hostStates: readonly HostState[] = ["governed", "direct", "refused", "unknown"];

/** What is known of one stored object. */
export interface AuditedObject {
	readonly kind: Kind;
	readonly apiVersion: string;
	readonly namespace: string;
	readonly name: string;
	readonly uid: string | undefined;
	readonly findings: readonly AuditFinding[];
	/** Findings beyond those that are kept. */
	readonly omitted: number;
	/** The state of each host that the policy governs, in the order of hosts; empty for other kinds. */
	readonly hosts: readonly HostState[];
	/** The waypoint, `NAMESPACE/NAME`, that the entry asks for and that its direct hosts do not pass. */
	readonly lost: string | undefined;
}

/** One object whose judgement is another than before; undefined: it is gone, or was not there. */
export interface AuditChange {
	readonly before: AuditedObject | undefined;
	readonly after: AuditedObject | undefined;
}

/** A stored object that is to be judged. */
export interface StoredSubject {
	readonly kind: Kind;
	readonly object: AnyObject;
	/** The day in UTC, as YYYY-MM-DD. */
	readonly today: string;
	readonly gaps: FoundGaps | undefined;
}

/** Findings of one object that are kept; the rest are counted. */
const mostFindings = 20;

const none: readonly never[] = [];

/** Judges one stored object on a day, with the gaps that are known. */
export function judgeStored(
	engine: Engine,
	inventory: Inventory,
	{ kind, object, today, gaps }: StoredSubject,
): AuditedObject {
	const { namespace, name, uid } = object.metadata ?? {};
	const verdict = evaluate(engine, inventory, {
		kind,
		namespace: namespace ?? "",
		name: name ?? undefined,
		object,
		today,
		gaps,
	});
	const findings = verdict.findings.slice(0, mostFindings).map((finding) => ({
		rule: finding.rule,
		severity: finding.severity,
		path: shared(formatPath(finding.path)),
		message: shared(finding.message),
		hint: finding.hint === undefined ? undefined : shared(finding.hint),
	}));
	return {
		kind,
		apiVersion: apiVersionOf(kind, object),
		namespace: namespace ?? "",
		name: name ?? "",
		uid: uid ?? undefined,
		findings: findings.length === 0 ? none : findings,
		omitted: Math.max(0, verdict.findings.length - mostFindings),
		...(kind === "ServiceEntry" ? wayOut(object as Resources["ServiceEntry"], inventory, gaps) : nowhere),
	};
}

/** Texts that are kept once: ten thousand entries that lose one waypoint say so in the same words. */
const mostShared = 4096;
const texts = new Map<string, string>();

function shared(text: string): string {
	const known = texts.get(text);
	if (known !== undefined) {
		return known;
	}
	if (texts.size >= mostShared) {
		texts.clear();
	}
	texts.set(text, text);
	return text;
}

function apiVersionOf(kind: Kind, { apiVersion }: AnyObject): string {
	const { group, versions } = kinds[kind];
	return apiVersion ?? [...(group === "" ? [] : [group]), versions[0]].join("/");
}

const nowhere: Pick<AuditedObject, "hosts" | "lost"> = { hosts: none, lost: undefined };
const governed: Pick<AuditedObject, "hosts" | "lost"> = { hosts: ["governed"], lost: undefined };

/** What becomes of the connections to the hosts of an entry, and which waypoint they should have passed. */
export function wayOut(
	entry: ServiceEntry,
	inventory: Inventory,
	gaps: FoundGaps | undefined,
): Pick<AuditedObject, "hosts" | "lost"> {
	if ((entry.spec?.location ?? "MESH_EXTERNAL") !== "MESH_EXTERNAL") {
		return nowhere;
	}
	const { namespace, name } = entry.metadata ?? {};
	const captures = captureOf(entry, { namespace: namespace ?? "", name: name ?? "" }, inventory);
	const refused = gaps?.refusedHosts(namespace ?? "", name ?? "");
	const hosts = captures.map((capture) => stateOf(capture, refused));
	// Most entries have one host and are governed: they share what is said of them.
	return hosts.length === 1 && hosts[0] === "governed" ? governed : { hosts, lost: lostBy(captures) };
}

function stateOf(capture: HostCapture, refused?: ReadonlySet<string>): HostState {
	if (!isCaptured(capture) && capture.addresses === "automatic") {
		return "unknown";
	}
	if (!isCaptured(capture) || capture.waypoint === undefined) {
		return "direct";
	}
	return refused?.has(capture.host) ? "refused" : "governed";
}

function lostBy(captures: readonly HostCapture[]): string | undefined {
	for (const capture of captures) {
		const { binding, waypoint } = capture;
		if (binding.request.asked && waypoint === undefined && capture.known && stateOf(capture) === "direct") {
			return shared(`${binding.request.waypoint.namespace}/${binding.request.waypoint.name}`);
		}
	}
	return undefined;
}

/** Whether two judgements of one object say the same. */
export function isSameJudgement(one: AuditedObject | undefined, other: AuditedObject | undefined): boolean {
	return (
		one === other ||
		(one !== undefined &&
			other !== undefined &&
			one.uid === other.uid &&
			one.omitted === other.omitted &&
			one.lost === other.lost &&
			isEqualList(one.hosts, other.hosts, (a, b) => a === b) &&
			isEqualList(one.findings, other.findings, isEqualFinding))
	);
}

function isEqualList<T>(one: readonly T[], other: readonly T[], isEqual: (a: T, b: T) => boolean): boolean {
	return (
		one === other ||
		(one.length === other.length &&
			one.every((item, index) => {
				const counterpart = other[index];
				return counterpart !== undefined && isEqual(item, counterpart);
			}))
	);
}

function isEqualFinding(one: AuditFinding, other: AuditFinding): boolean {
	return (
		one.rule === other.rule &&
		one.severity === other.severity &&
		one.path === other.path &&
		one.message === other.message
	);
}
