import type { AddressRange } from "./address-range.ts";
import { parseAddressRange } from "./address-range.ts";
import type { Severity } from "./finding.ts";
import type { HostPattern } from "./host-pattern.ts";
import { parseHostPattern } from "./host-pattern.ts";
import type { PortRange } from "./port-range.ts";
import { parsePortRange, parseProtocol } from "./port-range.ts";

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

/** The limits of the cluster, which a namespace may narrow and never widen. */
export interface Limits {
	readonly allowedHosts: HostList | undefined;
	readonly deniedHosts: HostList | undefined;
	readonly allowedPorts: readonly PortRange[] | undefined;
	readonly allowedProtocols: ReadonlySet<string> | undefined;
	readonly deniedAddresses: readonly AddressRange[];
	/** The fewest labels that must follow the `*.` of a wildcard host: 2 allows `*.example.com` and refuses `*.com`. */
	readonly wildcardMinimumLabels: number;
}

/** The cluster configuration, parsed. */
export interface Settings {
	readonly defaults: {
		readonly mode: Mode;
		readonly ambient: AmbientStance | undefined;
		readonly waypoint: WaypointReference | "none" | undefined;
	};
	readonly limits: Limits;
	readonly egressGateways: {
		readonly labels: readonly Readonly<Record<string, string>>[];
		/** Service names, `NAME` (in any namespace) or `NAMESPACE/NAME`. */
		readonly services: readonly string[];
	};
	readonly waypoints: {
		readonly controllers: ReadonlySet<string>;
		readonly whenMissing: "deny" | "warn";
	};
	/** Istio's minor version: 30 for 1.30; undefined when nobody said. */
	readonly istioMinor: number | undefined;
	readonly clusterDomain: string;
	readonly exemptNamespaces: ReadonlySet<string>;
	readonly policyEditors: PolicyEditors | undefined;
	readonly severities: ReadonlyMap<string, Severity | "off">;
}

/** Who may write `egress.waymark.dev/*` annotations. */
export interface PolicyEditors {
	readonly users: ReadonlySet<string>;
	readonly groups: ReadonlySet<string>;
}

/** The configuration file as people write it; `docs/schemas/config.schema.json` describes it. */
export interface SettingsFile {
	readonly defaults?: {
		readonly mode?: string;
		readonly ambient?: string;
		readonly waypoint?: string;
	};
	readonly limits?: {
		readonly allowedHosts?: readonly string[];
		readonly deniedHosts?: readonly string[];
		readonly allowedPorts?: readonly (string | number)[];
		readonly allowedProtocols?: readonly string[];
		readonly deniedAddresses?: readonly string[];
		readonly wildcardMinimumLabels?: number;
	};
	readonly egressGateways?: {
		readonly labels?: readonly Readonly<Record<string, string>>[];
		readonly services?: readonly string[];
	};
	readonly waypoints?: {
		readonly controllers?: readonly string[];
		readonly whenMissing?: string;
	};
	readonly istioVersion?: string;
	readonly clusterDomain?: string;
	readonly exemptNamespaces?: readonly string[];
	readonly policyEditors?: { readonly users?: readonly string[]; readonly groups?: readonly string[] };
	readonly severities?: Readonly<Record<string, string>>;
}

/** One thing that is wrong with the configuration file, and where. */
export interface SettingsProblem {
	readonly path: readonly (string | number)[];
	readonly message: string;
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

const severities: readonly string[] = ["error", "warning", "info", "off"];
const dnsLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const objectName = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** The settings of a cluster whose configuration says nothing. */
export const defaultSettings: Settings = parseSettings({}).settings;

/** Parses a configuration whose shape is known to be right; every value that cannot be read is a problem. */
export function parseSettings(file: SettingsFile): {
	readonly settings: Settings;
	readonly problems: readonly SettingsProblem[];
} {
	const problems: SettingsProblem[] = [];
	const settings: Settings = {
		defaults: {
			mode: oneOf(file.defaults?.mode, modes, ["defaults", "mode"], problems) ?? "enforce",
			ambient: oneOf(file.defaults?.ambient, ambientStances, ["defaults", "ambient"], problems),
			waypoint: readWaypoint(file.defaults?.waypoint, problems),
		},
		limits: readLimits(file.limits ?? {}, problems),
		egressGateways: {
			labels: (file.egressGateways?.labels ?? []).filter((labels) => Object.keys(labels).length > 0),
			services: file.egressGateways?.services ?? [],
		},
		waypoints: {
			controllers: new Set(file.waypoints?.controllers ?? []),
			whenMissing:
				oneOf(
					file.waypoints?.whenMissing,
					["deny", "warn"] as const,
					["waypoints", "whenMissing"],
					problems,
				) ?? "deny",
		},
		istioMinor: readVersion(file.istioVersion, problems),
		clusterDomain: (file.clusterDomain ?? "cluster.local").toLowerCase(),
		exemptNamespaces: new Set(file.exemptNamespaces ?? []),
		policyEditors:
			file.policyEditors === undefined
				? undefined
				: {
						users: new Set(file.policyEditors.users ?? []),
						groups: new Set(file.policyEditors.groups ?? []),
					},
		severities: readSeverities(file.severities ?? {}, problems),
	};
	return { settings, problems };
}

function oneOf<T extends string>(
	value: string | undefined,
	accepted: readonly T[],
	path: readonly string[],
	problems: SettingsProblem[],
): T | undefined {
	if (value === undefined) {
		return undefined;
	}
	const found = accepted.find((word) => word === value);
	if (found === undefined) {
		problems.push({ path, message: `must be one of ${accepted.join(", ")}` });
	}
	return found;
}

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

function readWaypoint(
	text: string | undefined,
	problems: SettingsProblem[],
): WaypointReference | "none" | undefined {
	if (text === undefined || text === "none") {
		return text;
	}
	const reference = parseWaypointReference(text);
	if (reference === undefined) {
		problems.push({ path: ["defaults", "waypoint"], message: "must be NAMESPACE/NAME or none" });
	}
	return reference;
}

function readLimits(limits: NonNullable<SettingsFile["limits"]>, problems: SettingsProblem[]): Limits {
	return {
		allowedHosts: limits.allowedHosts && readHosts(limits.allowedHosts, ["limits", "allowedHosts"], problems),
		deniedHosts: limits.deniedHosts && readHosts(limits.deniedHosts, ["limits", "deniedHosts"], problems),
		allowedPorts:
			limits.allowedPorts &&
			readEach(
				limits.allowedPorts.map(String),
				parsePortRange,
				["limits", "allowedPorts"],
				problems,
				portForm,
			),
		allowedProtocols:
			limits.allowedProtocols &&
			new Set(
				readEach(
					limits.allowedProtocols,
					parseProtocol,
					["limits", "allowedProtocols"],
					problems,
					protocolForm,
				),
			),
		deniedAddresses: readEach(
			limits.deniedAddresses ?? defaultDeniedAddresses,
			parseAddressRange,
			["limits", "deniedAddresses"],
			problems,
			"must be an IP address or a CIDR, such as 10.0.0.0/8",
		),
		wildcardMinimumLabels: limits.wildcardMinimumLabels ?? 2,
	};
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

function readHosts(texts: readonly string[], path: readonly string[], problems: SettingsProblem[]): HostList {
	const patterns: HostPattern[] = [];
	const placeholders: string[] = [];
	for (const [index, text] of texts.entries()) {
		const item = parseHostItem(text);
		if (item === undefined) {
			problems.push({ path: [...path, index], message: hostForm });
		} else if (item === "placeholder") {
			placeholders.push(text);
		} else {
			patterns.push(item);
		}
	}
	return { texts, patterns, placeholders };
}

function readEach<T>(
	texts: readonly string[],
	parse: (text: string) => T | undefined,
	path: readonly string[],
	problems: SettingsProblem[],
	form: string,
): readonly T[] {
	const parsed: T[] = [];
	for (const [index, text] of texts.entries()) {
		const item = parse(text);
		if (item === undefined) {
			problems.push({ path: [...path, index], message: form });
		} else {
			parsed.push(item);
		}
	}
	return parsed;
}

function readVersion(text: string | undefined, problems: SettingsProblem[]): number | undefined {
	const match = /^1\.(\d{1,3})$/.exec(text ?? "");
	if (text !== undefined && match === null) {
		problems.push({ path: ["istioVersion"], message: "must be a minor version of Istio, such as 1.30" });
	}
	return match === null ? undefined : Number(match[1]);
}

function readSeverities(
	entries: Readonly<Record<string, string>>,
	problems: SettingsProblem[],
): ReadonlyMap<string, Severity | "off"> {
	const result = new Map<string, Severity | "off">();
	for (const [rule, severity] of Object.entries(entries)) {
		if (severities.includes(severity)) {
			result.set(rule, severity as Severity | "off");
		} else {
			problems.push({ path: ["severities", rule], message: "must be one of error, warning, info, off" });
		}
	}
	return result;
}
