import { quote } from "./finding.ts";
import type { HostPattern } from "./host-pattern.ts";
import type { Namespace } from "./kinds.ts";
import type { PortRange } from "./port-range.ts";
import { parsePortRange, parseProtocol } from "./port-range.ts";
import type { AmbientStance, Mode, Settings, WaypointReference } from "./settings.ts";
import {
	ambientStances,
	hostForm,
	hostPatterns,
	modes,
	parseHostItem,
	parseWaypointReference,
	portForm,
	protocolForm,
} from "./settings.ts";

/** The prefix of every annotation by which a security team governs a namespace. */
export const annotationPrefix = "egress.waymark.dev/";

/** The labels by which Istio binds an object to a waypoint (istio.io/api label/labels.gen.go). */
export const useWaypointLabel = "istio.io/use-waypoint";
export const useWaypointNamespaceLabel = "istio.io/use-waypoint-namespace";

/** A rule's errors are warnings in this namespace until (and including) a day. */
export interface Exemption {
	/** The last day on which it holds, as YYYY-MM-DD in UTC. */
	readonly until: string;
	readonly reason: string;
}

/** An annotation that cannot be read. */
export interface PolicyProblem {
	/** The annotation's name without the prefix. */
	readonly annotation: string;
	readonly message: string;
	readonly hint: string;
}

/** Where the policy's waypoint was named. */
export type WaypointSource = "annotation" | "cluster default" | "namespace label" | "nowhere";

/** What holds in one namespace: its annotations over the cluster's settings, parsed once when either changes. */
export interface Policy {
	readonly namespace: string;
	readonly mode: Mode;
	readonly ambient: AmbientStance;
	/** The waypoint for external ServiceEntries; "none" when the policy says that there is none. */
	readonly waypoint: WaypointReference | "none" | undefined;
	readonly waypointSource: WaypointSource;
	/** Each list must allow a host; an empty outer list allows every host. */
	readonly allowedHosts: readonly HostAllowance[];
	readonly deniedHosts: readonly HostAllowance[];
	readonly allowedPorts: readonly PortAllowance[];
	readonly allowedProtocols: readonly ProtocolAllowance[];
	readonly exemptions: ReadonlyMap<string, Exemption>;
	readonly problems: readonly PolicyProblem[];
	/** Whether any annotation of ours was set. */
	readonly annotated: boolean;
	/** Whether the Namespace was there to be read; without it only the cluster's word holds. */
	readonly isKnown: boolean;
}

/** Who said so: the namespace's annotation or the cluster's limits. */
export type Authority = "namespace" | "cluster";

/** Whose word a list is, for messages: "this namespace's policy allows". */
export function allows(by: Authority): string {
	return by === "cluster" ? "the cluster's limits allow" : "this namespace's policy allows";
}

export interface HostAllowance {
	readonly by: Authority;
	readonly patterns: readonly HostPattern[];
}

export interface PortAllowance {
	readonly by: Authority;
	readonly ranges: readonly PortRange[];
}

export interface ProtocolAllowance {
	readonly by: Authority;
	readonly protocols: ReadonlySet<string>;
}

/** The policy of a namespace; `object` is undefined when the namespace is not known. */
export function parsePolicy(name: string, object: Namespace | undefined, settings: Settings): Policy {
	const annotations = object?.metadata?.annotations ?? {};
	const labels = object?.metadata?.labels ?? {};
	const problems: PolicyProblem[] = [];
	const read = reader(annotations, problems);
	const { limits } = settings;
	const waypoint = chooseWaypoint(name, read, labels, settings);
	return {
		namespace: name,
		mode: read("mode", (text) => parseWord(text, modes)) ?? settings.defaults.mode,
		ambient:
			read("ambient", (text) => parseWord(text, ambientStances)) ??
			settings.defaults.ambient ??
			(isAmbientNamespace(labels) ? "enforced" : "permitted"),
		...waypoint,
		allowedHosts: [
			...(limits.allowedHosts === undefined
				? []
				: [{ by: "cluster" as const, patterns: hostPatterns(limits.allowedHosts, name) }]),
			...namespaceList(read("allowed-hosts", (text) => parseHosts(text, name))).map((patterns) => ({
				by: "namespace" as const,
				patterns,
			})),
		],
		deniedHosts: [
			...(limits.deniedHosts === undefined
				? []
				: [{ by: "cluster" as const, patterns: hostPatterns(limits.deniedHosts, name) }]),
			...namespaceList(read("denied-hosts", (text) => parseHosts(text, name))).map((patterns) => ({
				by: "namespace" as const,
				patterns,
			})),
		],
		allowedPorts: [
			...(limits.allowedPorts === undefined ? [] : [{ by: "cluster" as const, ranges: limits.allowedPorts }]),
			...namespaceList(read("allowed-ports", (text) => parseList(text, parsePortRange, portForm))).map(
				(ranges) => ({ by: "namespace" as const, ranges }),
			),
		],
		allowedProtocols: [
			...(limits.allowedProtocols === undefined
				? []
				: [{ by: "cluster" as const, protocols: limits.allowedProtocols }]),
			...namespaceList(read("allowed-protocols", (text) => parseList(text, parseProtocol, protocolForm))).map(
				(names) => ({ by: "namespace" as const, protocols: new Set(names) }),
			),
		],
		exemptions: readExemptions(annotations, read),
		problems: [...problems, ...unknownAnnotations(annotations)],
		annotated: Object.keys(annotations).some((key) => key.startsWith(annotationPrefix)),
		isKnown: object !== undefined,
	};
}

/**
 * Whether Istio would call a namespace ambient by its labels
 * (istioctl/pkg/util/ambient/util.go: InAmbient).
 */
export function isAmbientNamespace(labels: Readonly<Record<string, string>>): boolean {
	return (
		labels["istio.io/dataplane-mode"] === "ambient" &&
		labels["istio-injection"] !== "enabled" &&
		(labels["istio.io/rev"] ?? "") === ""
	);
}

const known: ReadonlySet<string> = new Set([
	"mode",
	"ambient",
	"waypoint",
	"allowed-hosts",
	"denied-hosts",
	"allowed-ports",
	"allowed-protocols",
]);

/** The prefix, after `egress.waymark.dev/`, of an annotation that exempts the namespace from a rule. */
export const exemptionPrefix = "exempt.";

function unknownAnnotations(annotations: Readonly<Record<string, string>>): readonly PolicyProblem[] {
	return Object.keys(annotations)
		.filter((key) => key.startsWith(annotationPrefix))
		.map((key) => key.slice(annotationPrefix.length))
		.filter((name) => !known.has(name) && !name.startsWith(exemptionPrefix))
		.map((annotation) => ({
			annotation,
			message: "is not an annotation that Waymark knows, so it would have no effect",
			hint: `Use one of ${[...known].join(", ")} or ${exemptionPrefix}RULE-ID`,
		}));
}

/** What a value parses to, or what is wrong with it. */
type Parsed<T> = { readonly value: T } | { readonly message: string; readonly hint: string };

type Reader = <T>(annotation: string, parse: (text: string) => Parsed<T>) => T | undefined;

function reader(annotations: Readonly<Record<string, string>>, problems: PolicyProblem[]): Reader {
	return (annotation, parse) => {
		const text = annotations[annotationPrefix + annotation];
		if (text === undefined) {
			return undefined;
		}
		const parsed = parse(text);
		if ("value" in parsed) {
			return parsed.value;
		}
		problems.push({ annotation, message: parsed.message, hint: parsed.hint });
		return undefined;
	};
}

function parseWord<T extends string>(text: string, words: readonly T[]): Parsed<T> {
	const value = words.find((word) => word === text.trim());
	return value === undefined
		? { message: `must not be ${shown(text)}`, hint: `Write one of ${words.join(", ")}` }
		: { value };
}

function shown(text: string): string {
	return quote(text, 60);
}

function chooseWaypoint(
	namespace: string,
	read: Reader,
	labels: Readonly<Record<string, string>>,
	settings: Settings,
): Pick<Policy, "waypoint" | "waypointSource"> {
	const named = read("waypoint", (text): Parsed<WaypointReference | "none"> => {
		const word = text.trim();
		const value = word === "none" ? word : parseWaypointReference(word, namespace);
		return value === undefined
			? {
					message: `must not be ${shown(text)}`,
					hint: "Write NAME, NAMESPACE/NAME or none; a name has at most 63 characters, since a label carries it",
				}
			: { value };
	});
	if (named !== undefined) {
		return { waypoint: named, waypointSource: "annotation" };
	}
	if (settings.defaults.waypoint !== undefined) {
		return { waypoint: settings.defaults.waypoint, waypointSource: "cluster default" };
	}
	const label = labels[useWaypointLabel];
	if (label === undefined || label === "" || label === "none") {
		return { waypoint: undefined, waypointSource: "nowhere" };
	}
	return {
		waypoint: { namespace: labels[useWaypointNamespaceLabel] ?? namespace, name: label },
		waypointSource: "namespace label",
	};
}

/** An empty list allows what the cluster allows, so it is the same as none. */
function namespaceList<T>(items: readonly T[] | undefined): readonly (readonly T[])[] {
	return items === undefined || items.length === 0 ? [] : [items];
}

function parseHosts(text: string, namespace: string): Parsed<readonly HostPattern[]> {
	return parseList(
		text,
		(item) => {
			const parsed = parseHostItem(item);
			return parsed === "placeholder"
				? hostPatterns({ texts: [], patterns: [], placeholders: [item] }, namespace)[0]
				: parsed;
		},
		hostForm,
	);
}

/** The most items that a list in an annotation may have: an annotation is at most 256 KiB, a person writes fewer. */
const mostItems = 4096;

/** Reads a list separated by commas or white space; the message names the first bad item and where it stands. */
function parseList<T>(
	text: string,
	parse: (item: string) => T | undefined,
	form: string,
): Parsed<readonly T[]> {
	const items: T[] = [];
	for (const match of text.matchAll(/[^\s,]+/g)) {
		const item = parse(match[0]);
		if (item === undefined) {
			return {
				message: `item ${items.length + 1} at character ${match.index + 1}, ${shown(match[0])}, cannot be read`,
				hint: `Each item ${form}; separate items by commas or white space`,
			};
		}
		if (items.push(item) > mostItems) {
			return { message: `has more than ${mostItems} items`, hint: "Write suffixes such as *.example.com" };
		}
	}
	return { value: items };
}

const exemptionForm = /^\s*until=(\d{4}-\d{2}-\d{2})\s+reason=(\S.*?)\s*$/s;

function readExemptions(
	annotations: Readonly<Record<string, string>>,
	read: Reader,
): ReadonlyMap<string, Exemption> {
	const exemptions = new Map<string, Exemption>();
	for (const key of Object.keys(annotations)) {
		if (!key.startsWith(annotationPrefix + exemptionPrefix)) {
			continue;
		}
		const annotation = key.slice(annotationPrefix.length);
		const exemption = read(annotation, parseExemption);
		if (exemption !== undefined) {
			exemptions.set(annotation.slice(exemptionPrefix.length), exemption);
		}
	}
	return exemptions;
}

function parseExemption(text: string): Parsed<Exemption> {
	const match = exemptionForm.exec(text);
	const until = match?.[1];
	const reason = match?.[2];
	if (until === undefined || reason === undefined) {
		return {
			message: `must not be ${shown(text)}`,
			hint: "Write until=YYYY-MM-DD reason=TEXT",
		};
	}
	const day = new Date(`${until}T00:00:00Z`);
	if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== until) {
		return {
			message: `names a day that does not exist, ${until}`,
			hint: "Write until=YYYY-MM-DD reason=TEXT",
		};
	}
	return { value: { until, reason } };
}
