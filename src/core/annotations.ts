import { quote } from "./finding.ts";
import type { HostPattern } from "./host-pattern.ts";
import type { PortRange } from "./port-range.ts";
import { parsePortRange, parseProtocol } from "./port-range.ts";
import type { AmbientStance, Mode, WaypointReference } from "./settings.ts";
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

/** The prefix of every annotation that Waymark reads. */
export const annotationPrefix = "egress.waymark.dev/";

/** The prefix, after `egress.waymark.dev/`, of an annotation that exempts the namespace from a rule. */
export const exemptionPrefix = "exempt.";

/** An annotation that cannot be read. */
export interface AnnotationProblem {
	/** The annotation's name without the prefix. */
	readonly annotation: string;
	readonly message: string;
	readonly hint: string;
}

/** What a value parses to, or what is wrong with it. */
type Parsed<T> = { readonly value: T } | { readonly message: string; readonly hint: string };

/** One annotation: how its value is read in a namespace, and what the documentation says of it. */
export interface AnnotationRow<T> {
	readonly parse: (text: string, namespace: string) => Parsed<T>;
	/** The form of its value, in Markdown. */
	readonly value: string;
	/** What it means, in Markdown. */
	readonly meaning: string;
}

/** The annotations of a Namespace, parsed; absent where it does not say or cannot be read. */
export interface NamespaceAnnotations {
	readonly mode?: Mode;
	readonly ambient?: AmbientStance;
	readonly waypoint?: WaypointReference | "none";
	readonly "allowed-hosts"?: readonly HostPattern[];
	readonly "denied-hosts"?: readonly HostPattern[];
	readonly "allowed-ports"?: readonly PortRange[];
	readonly "allowed-protocols"?: readonly string[];
	readonly "allowed-service-accounts"?: readonly string[];
	readonly confirm?: string;
}

/** The annotations of a ServiceEntry, parsed; absent where it does not say or cannot be read. */
export interface EntryAnnotations {
	readonly owner?: string;
	readonly ticket?: string;
	readonly reason?: string;
	/** A day as YYYY-MM-DD in UTC. */
	readonly "review-by"?: string;
	readonly confirm?: string;
}

/** A rule's errors are warnings in this namespace until (and including) a day. */
export interface Exemption {
	/** The last day on which it holds, as YYYY-MM-DD in UTC. */
	readonly until: string;
	readonly reason: string;
	readonly owner?: string;
	readonly ticket?: string;
}

type Rows<T> = { readonly [Name in keyof T]-?: AnnotationRow<NonNullable<T[Name]>> };

/** May stand on any object: why a change that takes the waypoint from others is meant. */
const confirm: AnnotationRow<string> = {
	parse: parseText,
	value: "a reason",
	meaning: "on any object: this change is meant, although it takes others off their waypoint",
};

/** Every annotation of a Namespace, one row each, in the order in which messages and pages list them. */
export const namespaceAnnotations: Rows<NamespaceAnnotations> = {
	mode: {
		parse: (text) => parseWord(text, modes),
		value: "`enforce`, `warn`, `audit` or `off`",
		meaning: "what follows from a finding",
	},
	ambient: {
		parse: (text) => parseWord(text, ambientStances),
		value: "`enforced` or `permitted`",
		meaning:
			"whether sidecar-style egress and the opt-out from waypoints are errors; absent: exactly where Istio calls the namespace ambient",
	},
	waypoint: {
		parse: parseWaypoint,
		value: "`NAME`, `NAMESPACE/NAME` or `none`",
		meaning: "the waypoint that external ServiceEntries are bound to",
	},
	"allowed-hosts": {
		parse: parseHosts,
		value: "list of `host` or `*.suffix`; `${namespace}` stands for the namespace's name",
		meaning: "the hosts that may be named; empty: what the cluster allows",
	},
	"denied-hosts": {
		parse: parseHosts,
		value: "the same",
		meaning: "the hosts that may not; wins over `allowed-hosts`",
	},
	"allowed-ports": {
		parse: (text) => parseList(text, parsePortRange, portForm),
		value: "list of `443`, `8000-8099`, `443/TLS`",
		meaning: "the ports that may leave, alone or with a protocol",
	},
	"allowed-protocols": {
		parse: (text) => parseList(text, parseProtocol, protocolForm),
		value: "list of Istio's protocol names, in any case",
		meaning: "the protocols that may leave",
	},
	"allowed-service-accounts": {
		parse: (text) => parseList(text, parseAccount, accountForm),
		value: "list of names",
		meaning: "the ServiceAccounts of the namespace whose pods may reach its hosts; absent: all",
	},
	confirm,
};

/** Every annotation of a ServiceEntry, one row each: what an inventory says of its hosts. */
export const entryAnnotations: Rows<EntryAnnotations> = {
	owner: { parse: parseText, value: "text", meaning: "who answers for this way out" },
	ticket: { parse: parseText, value: "text", meaning: "where it was agreed" },
	reason: { parse: parseText, value: "text", meaning: "what it is for" },
	"review-by": { parse: parseDay, value: "`YYYY-MM-DD`", meaning: "when somebody looks at it again" },
	confirm,
};

/** The annotations whose name goes on with the id of a rule. */
export const exemptionAnnotation: AnnotationRow<Exemption> = {
	parse: parseExemption,
	value: "`until=YYYY-MM-DD reason=TEXT [owner=TEXT] [ticket=TEXT]`",
	meaning: "that rule's errors are warnings until the date, in UTC, and on it",
};

/** What a Namespace says by its annotations, and what is wrong with them. */
export interface NamespaceReading {
	readonly values: NamespaceAnnotations;
	/** By rule id. */
	readonly exemptions: ReadonlyMap<string, Exemption>;
	readonly problems: readonly AnnotationProblem[];
}

/** Reads the annotations of a Namespace; every one of ours that cannot be read or that nobody knows is a problem. */
export function readNamespaceAnnotations(
	annotations: Readonly<Record<string, string>>,
	namespace: string,
): NamespaceReading {
	const problems: AnnotationProblem[] = [];
	const values = readRows<NamespaceAnnotations>(annotations, namespaceAnnotations, namespace, problems);
	const exemptions = new Map<string, Exemption>();
	for (const annotation of ourNames(annotations)) {
		const exemption = annotation.startsWith(exemptionPrefix)
			? readAnnotation(annotations, annotation, exemptionAnnotation, namespace, problems)
			: undefined;
		if (exemption !== undefined) {
			exemptions.set(annotation.slice(exemptionPrefix.length), exemption);
		}
	}
	const known = [...Object.keys(namespaceAnnotations), `${exemptionPrefix}RULE-ID`];
	return { values, exemptions, problems: [...problems, ...unknownAnnotations(annotations, known)] };
}

/** Reads the annotations of a ServiceEntry; every one of ours that cannot be read or that nobody knows is a problem. */
export function readEntryAnnotations(
	annotations: Readonly<Record<string, string>>,
	namespace: string,
): { readonly values: EntryAnnotations; readonly problems: readonly AnnotationProblem[] } {
	const problems: AnnotationProblem[] = [];
	const values = readRows<EntryAnnotations>(annotations, entryAnnotations, namespace, problems);
	const known = Object.keys(entryAnnotations);
	return { values, problems: [...problems, ...unknownAnnotations(annotations, known)] };
}

/** The reason for which an object of any kind confirms what its change does to others; undefined without one. */
export function confirmation(annotations: Readonly<Record<string, string>>): string | undefined {
	return readAnnotation(annotations, "confirm", confirm, "", []);
}

function readRows<T>(
	annotations: Readonly<Record<string, string>>,
	rows: Rows<T>,
	namespace: string,
	problems: AnnotationProblem[],
): T {
	const values = Object.entries<AnnotationRow<unknown>>(rows).flatMap(
		([name, row]): readonly (readonly [string, unknown])[] => {
			const value = readAnnotation(annotations, name, row, namespace, problems);
			return value === undefined ? [] : [[name, value]];
		},
	);
	return Object.fromEntries(values) as T;
}

function readAnnotation<T>(
	annotations: Readonly<Record<string, string>>,
	annotation: string,
	{ parse }: AnnotationRow<T>,
	namespace: string,
	problems: AnnotationProblem[],
): T | undefined {
	const text = annotations[annotationPrefix + annotation];
	if (text === undefined) {
		return undefined;
	}
	const parsed = parse(text, namespace);
	if ("value" in parsed) {
		return parsed.value;
	}
	problems.push({ annotation, message: parsed.message, hint: parsed.hint });
	return undefined;
}

/** The names, without the prefix, of those annotations that Waymark reads. */
function ourNames(annotations: Readonly<Record<string, string>>): readonly string[] {
	return Object.keys(annotations)
		.filter((key) => key.startsWith(annotationPrefix))
		.map((key) => key.slice(annotationPrefix.length));
}

function unknownAnnotations(
	annotations: Readonly<Record<string, string>>,
	known: readonly string[],
): readonly AnnotationProblem[] {
	return ourNames(annotations)
		.filter((name) => !known.includes(name))
		.filter((name) => !(name.startsWith(exemptionPrefix) && known.includes(`${exemptionPrefix}RULE-ID`)))
		.map((annotation) => ({
			annotation,
			message: "is not an annotation that Waymark knows, so it would have no effect",
			hint: `Use one of ${known.slice(0, -1).join(", ")} or ${known.at(-1)}`,
		}));
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

function parseWaypoint(text: string, namespace: string): Parsed<WaypointReference | "none"> {
	const word = text.trim();
	const value = word === "none" ? word : parseWaypointReference(word, namespace);
	return value === undefined
		? {
				message: `must not be ${shown(text)}`,
				hint: "Write NAME, NAMESPACE/NAME or none; a name has at most 63 characters, since a label carries it",
			}
		: { value };
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

const accountForm = "must be the name of a ServiceAccount, such as checkout";
const accountName = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

function parseAccount(text: string): string | undefined {
	return accountName.test(text) ? text : undefined;
}

function parseText(text: string): Parsed<string> {
	const value = text.trim();
	return value === "" ? { message: "must not be empty", hint: "Write a text" } : { value };
}

function parseDay(text: string): Parsed<string> {
	const value = text.trim();
	if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) {
		return { message: `must not be ${shown(text)}`, hint: "Write a day as YYYY-MM-DD" };
	}
	return isDay(value)
		? { value }
		: { message: `names a day that does not exist, ${value}`, hint: "Write a day as YYYY-MM-DD" };
}

/** Whether a text is a day of the calendar, as YYYY-MM-DD. */
export function isDay(text: string): boolean {
	const day = new Date(`${text}T00:00:00Z`);
	return (
		/^\d{4}-\d{2}-\d{2}$/.test(text) &&
		!Number.isNaN(day.getTime()) &&
		day.toISOString().slice(0, 10) === text
	);
}

const exemptionHint = "Write until=YYYY-MM-DD reason=TEXT [owner=TEXT] [ticket=TEXT]";

function parseExemption(text: string): Parsed<Exemption> {
	const fields = fieldsOf(text, /(?:^|\s)(until|reason|owner|ticket)=/g);
	const { until, reason, owner, ticket } = Object.fromEntries(fields ?? []);
	const isWhole = fields?.every(([, value]) => value !== "") && fields[0]?.[0] === "until";
	const isTwice = new Set(fields?.map(([name]) => name)).size < (fields?.length ?? 0);
	const day = parseDay(until ?? "");
	if (!isWhole || isTwice || reason === undefined || until === undefined) {
		return { message: `must not be ${shown(text)}`, hint: exemptionHint };
	}
	if (!("value" in day)) {
		return { ...day, hint: exemptionHint };
	}
	return {
		value: {
			until,
			reason,
			...(owner === undefined ? {} : { owner }),
			...(ticket === undefined ? {} : { ticket }),
		},
	};
}

/** The fields of `NAME=TEXT NAME=TEXT`, where a text ends before the next name; undefined when others stand first. */
function fieldsOf(text: string, names: RegExp): readonly (readonly [string, string])[] | undefined {
	const starts = [...text.matchAll(names)];
	if (text.slice(0, starts[0]?.index).trim() !== "") {
		return undefined;
	}
	return starts.map((start, index) => [
		start[1] ?? "",
		text.slice(start.index + start[0].length, starts[index + 1]?.index).trim(),
	]);
}
