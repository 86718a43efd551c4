import type { AddressRange } from "./address-range.ts";
import { parseAddressRange } from "./address-range.ts";
import type { Severity } from "./finding.ts";
import type { HostPattern } from "./host-pattern.ts";
import { parseHostPattern } from "./host-pattern.ts";
import type { PortRange } from "./port-range.ts";
import { parsePortRange, parseProtocol } from "./port-range.ts";
import type { JsonSchema, Rows, Setting, SettingsProblem } from "./setting.ts";
import { oneOf, optional, parsed, parsedList, plain, section } from "./setting.ts";

/** What follows from a finding in a namespace (product table: enforce denies, warn warns, audit records, off is silent). */
export type Mode = "enforce" | "warn" | "audit" | "off";

/** Whether sidecar-style egress and the opt-out from waypoints are errors in a namespace. */
export type AmbientStance = "enforced" | "permitted";

export const modes: readonly Mode[] = ["enforce", "warn", "audit", "off"];
export const ambientStances: readonly AmbientStance[] = ["enforced", "permitted"];

/** The waypoint Gateway that ServiceEntries are bound to. */
export interface WaypointReference {
	readonly namespace: string;
	readonly name: string;
}

/** Hosts that may contain `${namespace}`, which stands for the namespace that is judged. */
export interface HostList {
	readonly texts: readonly string[];
	readonly patterns: readonly HostPattern[];
	readonly placeholders: readonly string[];
}

/** What may leave, by four lists. */
export interface Lists {
	readonly allowedHosts: HostList | undefined;
	readonly deniedHosts: HostList | undefined;
	readonly allowedPorts: readonly PortRange[] | undefined;
	readonly allowedProtocols: ReadonlySet<string> | undefined;
}

/** The limits of the cluster, which a namespace may narrow and never widen. */
export interface Limits extends Lists {
	readonly deniedAddresses: readonly AddressRange[];
	/** The fewest labels that must follow the `*.` of a wildcard host: 2 allows `*.example.com` and refuses `*.com`. */
	readonly wildcardMinimumLabels: number;
}

/** The cluster configuration, parsed. */
export interface Settings {
	/** What holds where a namespace says nothing; its annotation takes the place of a default. */
	readonly defaults: Lists & {
		readonly mode: Mode;
		readonly ambient: AmbientStance | undefined;
		readonly waypoint: WaypointReference | "none" | undefined;
	};
	/** What counts as inside the cluster, besides its domain. */
	readonly internal: {
		/** Suffixes in canonical form, each of which stands for itself and every name below it. */
		readonly hosts: readonly string[];
		readonly addresses: readonly AddressRange[];
	};
	readonly limits: Limits;
	readonly egressGateways: {
		readonly labels: readonly Readonly<Record<string, string>>[];
		/** Service names, `NAME` (in any namespace) or `NAMESPACE/NAME`. */
		readonly services: readonly string[];
	};
	readonly waypoints: {
		readonly controllers: ReadonlySet<string>;
		/** Names of classes whose Gateways are waypoints, whatever controller they name. */
		readonly classes: ReadonlySet<string>;
		readonly whenMissing: "deny" | "warn";
	};
	/** Istio's minor version: 30 for 1.30; undefined when nobody said. */
	readonly istioMinor: number | undefined;
	readonly clusterDomain: string;
	readonly exemptNamespaces: ReadonlySet<string>;
	readonly policyEditors: PolicyEditors | undefined;
	/** Whose creations are admitted with a warning, whatever is found in them. */
	readonly restorers: PolicyEditors | undefined;
	readonly severities: ReadonlyMap<string, Severity | "off">;
	readonly exemptions: ExemptionSettings;
	readonly audit: AuditSettings;
	readonly metrics: MetricsSettings;
	/** Where the pages of the rules are, with a slash at its end; the id of a rule is added. */
	readonly links: string | undefined;
	/** Whom messages name where they say to ask the security team. */
	readonly contact: string | undefined;
	readonly reach: ReachMode;
	readonly inventory: {
		/** What every governed entry must say of itself. */
		readonly require: readonly StatedFact[];
	};
}

/** What an exemption of a rule must say, and how long it may last. */
export interface ExemptionSettings {
	readonly requireOwner: boolean;
	readonly requireTicket: boolean;
	/** Days from the one on which it is written; undefined: any number. */
	readonly longestDays: number | undefined;
}

/** What the metrics tell apart beyond what Waymark itself names. */
export interface MetricsSettings {
	/** Namespaces that findings are counted for by name, at most `mostMetricsNamespaces`. */
	readonly namespaces: ReadonlySet<string>;
}

/** Series grow by each of them: so many a dashboard can show. */
export const mostMetricsNamespaces = 50;

/**
 * What the replica with the Lease does about connections that a policy does not allow and nothing refuses: it reports
 * them, it keeps AuthorizationPolicies that refuse them at the waypoints, too, or it does not look.
 */
export type ReachMode = "report" | "enforce" | "off";

export const reachModes: readonly ReachMode[] = ["report", "enforce", "off"];

/** What a ServiceEntry can say of itself by its annotations, for the inventory. */
export type StatedFact = "owner" | "ticket" | "reason" | "review-by";

export const statedFacts: readonly StatedFact[] = ["owner", "ticket", "reason", "review-by"];

/** Where what is stored is reported. */
export interface AuditSettings {
	readonly reports: ReportsChoice;
	/** For how many seconds a namespace's report stays as it is after it was written. */
	readonly reportSeconds: number;
	/** Whether Events tell what has become worse. */
	readonly events: boolean;
	/** A name for this cluster on every report. */
	readonly cluster: string | undefined;
}

/** Which API reports are written in: OpenReports, the Policy working group's, or none. */
export type ReportsChoice = "openreports" | "policyreport" | "none";

export const reportsChoices: readonly ReportsChoice[] = ["openreports", "policyreport", "none"];

/** Who may write `egress.waymark.dev/*` annotations. */
export interface PolicyEditors {
	readonly users: ReadonlySet<string>;
	readonly groups: ReadonlySet<string>;
}

/** The four lists as people write them. */
export interface ListsFile {
	readonly allowedHosts?: readonly string[];
	readonly deniedHosts?: readonly string[];
	readonly allowedPorts?: readonly (string | number)[];
	readonly allowedProtocols?: readonly string[];
}

/** The configuration file as people write it; `docs/schemas/config.schema.json` describes it. */
export interface SettingsFile {
	readonly defaults?: {
		readonly mode?: string;
		readonly ambient?: string;
		readonly waypoint?: string;
	} & ListsFile;
	readonly internal?: {
		readonly hosts?: readonly string[];
		readonly addresses?: readonly string[];
	};
	readonly limits?: ListsFile & {
		readonly deniedAddresses?: readonly string[];
		readonly wildcardMinimumLabels?: number;
	};
	readonly egressGateways?: {
		readonly labels?: readonly Readonly<Record<string, string>>[];
		readonly services?: readonly string[];
	};
	readonly waypoints?: {
		readonly controllers?: readonly string[];
		readonly classes?: readonly string[];
		readonly whenMissing?: string;
	};
	readonly istioVersion?: string;
	readonly clusterDomain?: string;
	readonly exemptNamespaces?: readonly string[];
	readonly policyEditors?: { readonly users?: readonly string[]; readonly groups?: readonly string[] };
	readonly restorers?: { readonly users?: readonly string[]; readonly groups?: readonly string[] };
	readonly severities?: Readonly<Record<string, string>>;
	readonly exemptions?: {
		readonly requireOwner?: boolean;
		readonly requireTicket?: boolean;
		readonly longestDays?: number;
	};
	readonly audit?: {
		readonly reports?: string;
		readonly reportSeconds?: number;
		readonly events?: boolean;
		readonly cluster?: string;
	};
	readonly metrics?: { readonly namespaces?: readonly string[] };
	readonly links?: string;
	readonly contact?: string;
	readonly reach?: string;
	readonly inventory?: { readonly require?: readonly string[] };
}

/**
 * Addresses that no ServiceEntry may name unless the configuration says otherwise: link-local with the clouds'
 * metadata services (RFC 3927, RFC 4291), loopback, unspecified, and the ranges from which istiod allocates
 * addresses itself (Istio pilot/pkg/features: PILOT_IP_AUTOALLOCATE_IPV4_PREFIX and ..._IPV6_PREFIX).
 */
export const defaultDeniedAddresses: readonly string[] = [
	"169.254.0.0/16",
	"fe80::/10",
	"fd00:ec2::254/128",
	"127.0.0.0/8",
	"::1/128",
	"0.0.0.0/32",
	"::/128",
	"240.240.0.0/16",
	"2001:2::/48",
];

const dnsLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const objectName = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** Parses `NAMESPACE/NAME` or, where a namespace is given to fall back on, `NAME`; undefined when it is neither. */
export function parseWaypointReference(text: string, namespace?: string): WaypointReference | undefined {
	const slash = text.indexOf("/");
	const reference =
		slash < 0
			? { namespace: namespace ?? "", name: text }
			: { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
	// A Gateway's name may be longer, but a label value may not: such a waypoint could never be named.
	const valid =
		dnsLabel.test(reference.namespace) && objectName.test(reference.name) && reference.name.length <= 63;
	return valid && reference.name !== "none" ? reference : undefined;
}

/** What a list of ports accepts, as a sentence for messages. */
export const portForm = "must be a port, a range or either with a protocol, such as 443, 8000-8099, 443/TLS";
/** What a list of protocols accepts, as a sentence for messages. */
export const protocolForm = "must be a protocol that Istio knows, such as HTTP, HTTPS, TLS, GRPC, TCP";
/** What a list of hosts accepts, as a sentence for messages. */
export const hostForm =
	"must be a host or *.suffix, such as api.example.com, *.example.com, ${namespace}.example.com";

const placeholder = "${namespace}";

/** Whether a host list's item is well-formed once `${namespace}` is filled in, and its pattern where it has none. */
export function parseHostItem(text: string): HostPattern | "placeholder" | undefined {
	if (text.includes(placeholder)) {
		return parseHostPattern(text.replaceAll(placeholder, "namespace")) === undefined
			? undefined
			: "placeholder";
	}
	return parseHostPattern(text);
}

/** The patterns of a list of hosts for one namespace. */
export function hostPatterns(list: HostList, namespace: string): readonly HostPattern[] {
	if (list.placeholders.length === 0) {
		return list.patterns;
	}
	const filled = list.placeholders.flatMap(
		(text) => parseHostPattern(text.replaceAll(placeholder, namespace)) ?? [],
	);
	return [...list.patterns, ...filled];
}

const strings: JsonSchema = { type: "array", items: { type: "string", minLength: 1 } };

/** The schema of a list of texts, with what it says. */
function stringsOf(description: string): JsonSchema {
	return { ...strings, description };
}

function textSet(schema: JsonSchema): Setting<readonly string[], ReadonlySet<string>> {
	return plain(schema, (written) => new Set(written));
}

function flag(description: string): Setting<boolean, boolean> {
	return plain(
		{ type: "boolean", description: `${description}; absent: false` },
		(written) => written ?? false,
	);
}

function hostList(description: string): Setting<readonly string[], HostList | undefined> {
	const items = parsedList(
		stringsOf(description),
		(text) => {
			const pattern = parseHostItem(text);
			return pattern === undefined ? undefined : { text, pattern };
		},
		hostForm,
	);
	return optional({
		schema: items.schema,
		read: (texts = [], path, problems) => {
			const read = items.read(texts, path, problems);
			return {
				texts,
				patterns: read.flatMap(({ pattern }) => (pattern === "placeholder" ? [] : [pattern])),
				placeholders: read.flatMap(({ text, pattern }) => (pattern === "placeholder" ? [text] : [])),
			};
		},
	});
}

function portList(
	description: string,
): Setting<readonly (string | number)[], readonly PortRange[] | undefined> {
	const schema = { type: "array", items: { type: ["string", "integer"] }, description };
	return optional(parsedList(schema, parsePortRange, portForm));
}

function protocolList(description: string): Setting<readonly string[], ReadonlySet<string> | undefined> {
	const { schema, read } = parsedList<string, string>(stringsOf(description), parseProtocol, protocolForm);
	return optional({ schema, read: (...written) => new Set(read(...written)) });
}

const listRows: Rows<ListsFile, Lists> = {
	allowedHosts: hostList("host, *.suffix; ${namespace} stands for the namespace"),
	deniedHosts: hostList("Wins over allowedHosts"),
	allowedPorts: portList("443, 8000-8099, 443/TLS"),
	allowedProtocols: protocolList("Istio's protocol names, any case"),
};

const defaultRows: Rows<NonNullable<SettingsFile["defaults"]>, Settings["defaults"]> = {
	mode: oneOf(modes, "enforce", "What follows from a finding"),
	ambient: oneOf(
		ambientStances,
		undefined,
		"Absent: enforced exactly where Istio calls the namespace ambient",
	),
	waypoint: parsed(
		{ type: "string", description: "NAMESPACE/NAME of the waypoint for external entries, or none" },
		(text) => (text === "none" ? text : parseWaypointReference(text)),
		"must be NAMESPACE/NAME or none",
	),
	...listRows,
};

const limitRows: Rows<NonNullable<SettingsFile["limits"]>, Limits> = {
	...listRows,
	deniedAddresses: withDefault(
		parsedList(
			stringsOf("IP addresses or CIDRs that no entry may name; absent: link-local, loopback, Istio's own"),
			parseAddressRange,
			"must be an IP address or a CIDR, such as 10.0.0.0/8",
		),
		defaultDeniedAddresses,
	),
	wildcardMinimumLabels: plain(
		{
			type: "integer",
			minimum: 0,
			maximum: 10,
			description: "Labels after the *. of a wildcard host; absent: 2",
		},
		(written) => written ?? 2,
	),
};

function withDefault<Written, Read>(
	{ schema, read }: Setting<Written, Read>,
	absent: Written,
): Setting<Written, Read> {
	return { schema, read: (written = absent, ...rest) => read(written, ...rest) };
}

const internalRows: Rows<NonNullable<SettingsFile["internal"]>, Settings["internal"]> = {
	hosts: parsedList(
		stringsOf(
			"Suffixes: corp.example stands for itself and all below it; the cluster's domain is inside anyway",
		),
		(text) => {
			const pattern = parseHostPattern(text);
			return pattern?.suffix === undefined ? pattern?.text : pattern.suffix.slice(1);
		},
		"must be a name or *.suffix, such as corp.example",
	),
	addresses: parsedList(
		stringsOf("IP addresses or CIDRs inside: machines of the mesh outside Kubernetes"),
		parseAddressRange,
		"must be an IP address or a CIDR, such as 10.0.0.0/8",
	),
};

const gatewayRows: Rows<NonNullable<SettingsFile["egressGateways"]>, Settings["egressGateways"]> = {
	labels: plain(
		{
			type: "array",
			items: { type: "object", minProperties: 1, additionalProperties: { type: "string" } },
			description: "Label sets of gateway workloads",
		},
		(written = []) => written.filter((labels) => Object.keys(labels).length > 0),
	),
	services: plain(stringsOf("NAME or NAMESPACE/NAME of gateway Services"), (written) => written ?? []),
};

const waypointRows: Rows<NonNullable<SettingsFile["waypoints"]>, Settings["waypoints"]> = {
	controllers: textSet(stringsOf("Controller names of waypoint classes beside Istio's own")),
	classes: textSet(stringsOf("Names of waypoint classes beside Istio's own")),
	whenMissing: oneOf(
		["deny", "warn"],
		"deny",
		"What to do when a named waypoint does not exist; absent: deny",
	),
};

/** A base to which ids are added: without query and fragment, and with the slash that people forget. */
function parseLinks(text: string): string | undefined {
	const isPlain = /^https?:\/\/[^\s/?#\\]+[^\s?#\\()"'<>]*$/.test(text);
	return isPlain && URL.parse(text) !== null ? text.replace(/\/*$/, "/") : undefined;
}

const severityWords: readonly (Severity | "off")[] = ["error", "warning", "info", "off"];

/** Every setting, one row each: its schema, how it is read, and what holds where it is absent. */
const root: Setting<
	SettingsFile,
	Omit<Settings, "istioMinor"> & { readonly istioVersion: number | undefined }
> = section({
	defaults: section(defaultRows, "For namespaces that say nothing"),
	internal: section(
		internalRows,
		"What counts as inside the cluster; all else is outside, whatever an entry's location says",
	),
	limits: section(limitRows, "What no namespace may exceed"),
	egressGateways: section(
		gatewayRows,
		"How sidecar-style egress gateways are recognised, on top of Istio's own",
	),
	waypoints: section(waypointRows),
	istioVersion: parsed(
		{ type: "string", pattern: "^1\\.[0-9]{1,3}$", description: "Istio's minor version: 1.30" },
		(text) => {
			const minor = /^1\.(\d{1,3})$/.exec(text)?.[1];
			return minor === undefined ? undefined : Number(minor);
		},
		"must be a minor version of Istio, such as 1.30",
	),
	clusterDomain: plain(
		{
			type: "string",
			pattern: "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
			description: "Absent: cluster.local",
		},
		(written) => (written ?? "cluster.local").toLowerCase(),
	),
	exemptNamespaces: textSet(
		stringsOf("Namespaces that are not judged at all, besides kube-system, kube-public and kube-node-lease"),
	),
	policyEditors: optional(
		section<NonNullable<SettingsFile["policyEditors"]>, PolicyEditors>(
			{ users: textSet(strings), groups: textSet(strings) },
			"Who may write egress.waymark.dev annotations; absent: everybody who may edit the namespace",
		),
	),
	restorers: optional(
		section<NonNullable<SettingsFile["restorers"]>, PolicyEditors>(
			{ users: textSet(strings), groups: textSet(strings) },
			"Who restores from backups: what they create is admitted with a warning; absent: nobody",
		),
	),
	exemptions: section<NonNullable<SettingsFile["exemptions"]>, ExemptionSettings>(
		{
			requireOwner: flag("Whether an exemption must name an owner"),
			requireTicket: flag("Whether an exemption must name a ticket"),
			longestDays: plain(
				{
					type: "integer",
					minimum: 1,
					maximum: 3660,
					description: "Most days from today to an exemption's last; absent: any number",
				},
				(written) => written,
			),
		},
		"What exemptions of rules must say when they are written; those that are there stay in force",
	),
	metrics: section<NonNullable<SettingsFile["metrics"]>, MetricsSettings>(
		{
			namespaces: textSet({
				...stringsOf("Namespaces that stored findings are counted for by name"),
				maxItems: mostMetricsNamespaces,
			}),
		},
		"What metrics tell apart",
	),
	audit: section<NonNullable<SettingsFile["audit"]>, AuditSettings>(
		{
			reports: oneOf(reportsChoices, "openreports", "The API of reports; absent: openreports"),
			reportSeconds: plain(
				{
					type: "integer",
					minimum: 1,
					maximum: 3600,
					description:
						"Seconds for which a namespace's report stays as it is after it was written; absent: 10",
				},
				(written) => written ?? 10,
			),
			events: plain(
				{ type: "boolean", description: "Whether Events tell what has become worse; absent: true" },
				(written) => written ?? true,
			),
			cluster: plain(
				{
					type: "string",
					minLength: 1,
					maxLength: 253,
					description: "A name for this cluster on every report",
				},
				(written) => written,
			),
		},
		"What the auditor does with what it finds in the cluster",
	),
	links: parsed(
		{
			type: "string",
			description:
				"Base URL of the rules' pages, to which the rule's id is added; absent: messages name waymark explain RULE",
		},
		parseLinks,
		"must be an http or https URL, such as https://docs.example.com/waymark/rules/",
	),
	contact: parsed(
		{
			type: "string",
			minLength: 1,
			maxLength: 100,
			description: "Whom to ask, such as #egress on Slack; absent: the security team",
		},
		(text) => (text.trim() === "" || /[\p{C}\p{Zl}\p{Zp}{}]/u.test(text) ? undefined : text.trim()),
		"must be one line of printable text without braces, such as #egress on Slack",
	),
	reach: oneOf(
		reachModes,
		"report",
		"What is done where a namespace reaches what its policy does not allow; enforce: AuthorizationPolicies are kept; absent: report",
	),
	inventory: section<NonNullable<SettingsFile["inventory"]>, Settings["inventory"]>(
		{
			require: plain<readonly string[], readonly StatedFact[]>(
				{
					type: "array",
					items: { enum: statedFacts },
					uniqueItems: true,
					description: "What every ServiceEntry that leaves the cluster must say by its annotations",
				},
				(written = []) => statedFacts.filter((fact) => written.includes(fact)),
			),
		},
		"What the inventory must be able to say of every host",
	),
	severities: {
		schema: {
			description: "Rule id to severity",
			type: "object",
			additionalProperties: { enum: severityWords },
		},
		read: readSeverities,
	},
});

function readSeverities(
	entries: Readonly<Record<string, string>> | undefined,
	path: SettingsProblem["path"],
	problems: SettingsProblem[],
): ReadonlyMap<string, Severity | "off"> {
	const result = new Map<string, Severity | "off">();
	for (const [rule, written] of Object.entries(entries ?? {})) {
		const severity = severityWords.find((word) => word === written);
		if (severity === undefined) {
			problems.push({ path: [...path, rule], message: `must be one of ${severityWords.join(", ")}` });
		} else {
			result.set(rule, severity);
		}
	}
	return result;
}

/** JSON Schema (draft 2020-12) of the cluster configuration; published as docs/schemas/config.schema.json. */
export const settingsSchema: JsonSchema = {
	$schema: "https://json-schema.org/draft/2020-12/schema",
	$id: "urn:waymark:schemas:config",
	title: "Waymark cluster configuration",
	...root.schema,
};

/** Parses a configuration whose shape is known to be right; every value that cannot be read is a problem. */
export function parseSettings(file: SettingsFile): {
	readonly settings: Settings;
	readonly problems: readonly SettingsProblem[];
} {
	const problems: SettingsProblem[] = [];
	const { istioVersion: istioMinor, ...settings } = root.read(file, [], problems);
	return { settings: { ...settings, istioMinor }, problems };
}

/** The settings of a cluster whose configuration says nothing. */
export const defaultSettings: Settings = parseSettings({}).settings;
