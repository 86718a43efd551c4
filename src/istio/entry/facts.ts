import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry, ServiceEntryPort } from "../../core/kinds.ts";
import { useWaypointLabel, useWaypointNamespaceLabel } from "../../core/policy.ts";
import type { RuleContext } from "../../core/rule.ts";
import { isClusterHost } from "./cluster-hosts.ts";
import { isAllocated } from "./entry.ts";
import { isPortNumber } from "./ports.ts";

/** Protocols that say which host a connection is for, and whether they are plain text. */
const plainProtocols: ReadonlyMap<string, { readonly isClear: boolean }> = new Map([
	["HTTP", { isClear: true }],
	["HTTP2", { isClear: true }],
	["GRPC", { isClear: true }],
	["HTTPS", { isClear: false }],
	["TLS", { isClear: false }],
]);

type Facing = Pick<RuleContext, "inventory" | "know">;

/** Whether an entry lists addresses. */
export function hasAddresses({ spec }: ServiceEntry): boolean {
	return !isEmpty(spec?.addresses);
}

/** Whether an entry has a list of endpoints; an empty one counts. */
export function hasEndpoints({ spec }: ServiceEntry): boolean {
	return !isAbsent(spec?.endpoints);
}

/** Whether an entry says itself where traffic goes: by addresses or by endpoints. */
export function hasAddressesOrEndpoints(entry: ServiceEntry): boolean {
	return hasAddresses(entry) || hasEndpoints(entry);
}

/** Whether an entry has a workloadSelector. */
export function hasSelector({ spec }: ServiceEntry): boolean {
	return !isAbsent(spec?.workloadSelector);
}

/** Whether an entry says itself which workloads answer: by endpoints or by a selector. */
export function namesWorkloads(entry: ServiceEntry): boolean {
	return hasEndpoints(entry) || hasSelector(entry);
}

/** Whether an entry says to whom it is exported. */
export function hasExportTo({ spec }: ServiceEntry): boolean {
	return !isEmpty(spec?.exportTo);
}

/** Whether an entry lists subjectAltNames. */
export function hasSubjectAltNames({ spec }: ServiceEntry): boolean {
	return !isEmpty(spec?.subjectAltNames);
}

/** Whether the resolution is another than DNS, or none is written. */
export function resolvesUnusually({ spec }: ServiceEntry): boolean {
	return spec?.resolution !== "DNS";
}

/** Whether Istio takes an entry for something outside the mesh; the field's default is MESH_EXTERNAL. */
export function isExternal(entry: ServiceEntry): boolean {
	return (entry.spec?.location ?? "MESH_EXTERNAL") !== "MESH_INTERNAL";
}

/** Whether the location is another than MESH_EXTERNAL, which holds where none is written. */
export function isInternal({ spec }: ServiceEntry): boolean {
	return (spec?.location ?? "MESH_EXTERNAL") !== "MESH_EXTERNAL";
}

/** Whether Istio allocates no address for the hosts, and none is listed. */
export function getsNoAddress(entry: ServiceEntry): boolean {
	return !(hasAddresses(entry) || isAllocated(entry));
}

/** Whether an entry has more than one host. */
export function hasSeveralHosts({ spec }: ServiceEntry): boolean {
	return (spec?.hosts ?? []).length > 1;
}

/** Whether a host is not the full name, in lower case, of something outside the cluster; no host at all is unusual too. */
export function hasUnusualHost({ spec }: ServiceEntry, { inventory }: Facing): boolean {
	return !arePlainHosts(spec?.hosts ?? [], inventory);
}

/** Whether a port is not well-formed, shares its name or number, goes to 443 unencrypted, or says by its protocol no host. */
export function hasUnusualPort({ spec }: ServiceEntry): boolean {
	return !arePlainPorts(spec?.ports ?? []);
}

/** Whether labels or annotations say anything to Istio, but for the two labels that bind to a waypoint. */
export function hasIstioMetadata({ metadata }: ServiceEntry): boolean {
	return !(saysNothing(metadata?.annotations) && saysNothing(metadata?.labels));
}

const commonFields: ReadonlySet<string> = new Set(["hosts", "ports", "location", "resolution"]);

/** Whether an entry has another field than hosts, ports, location and resolution, or one of these is unusual. */
export function isUnusual(entry: ServiceEntry, { know }: Facing): boolean {
	const { metadata, spec } = entry;
	if (spec === undefined || spec === null || resolvesUnusually(entry) || isInternal(entry)) {
		return true;
	}
	for (const field in spec) {
		if (!commonFields.has(field)) {
			return true;
		}
	}
	return !hasPlainName(metadata) || know(hasUnusualHost, entry) || know(hasUnusualPort, entry);
}

function isAbsent(value: unknown): boolean {
	return value === undefined || value === null;
}

function isEmpty(list: readonly unknown[] | null | undefined): boolean {
	return list === undefined || list === null || list.length === 0;
}

function arePlainHosts(hosts: readonly string[], inventory: Inventory): boolean {
	if (hosts.length === 0 || hosts.length > 256) {
		return false;
	}
	for (const host of hosts) {
		if (!(isPlainName(host) && hasPlainEnd(host)) || isClusterHost(host, inventory)) {
			return false;
		}
	}
	return true;
}

const dot = 46;
const hyphen = 45;

/**
 * Whether labels of lower case and digits, with hyphens between them, make a name, as those of hosts and objects are.
 * Read letter by letter, since every verdict asks it of every name, and a regular expression takes five times as long.
 */
function isPlainName(name: string): boolean {
	let length = 0;
	let last = dot;
	for (let index = 0; index < name.length; index++) {
		const code = name.charCodeAt(index);
		if (code === dot ? last === hyphen || length === 0 : !isLetterOfName(code, last)) {
			return false;
		}
		length = code === dot ? 0 : length + 1;
		if (length > 63) {
			return false;
		}
		last = code;
	}
	return length > 0 && last !== hyphen && name.length <= 253;
}

function isLetterOfName(code: number, last: number): boolean {
	return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || (code === hyphen && last !== dot);
}

/** Whether a plain name has several labels, the last of which begins with a letter, so that it is no IP address. */
function hasPlainEnd(host: string): boolean {
	const end = host.lastIndexOf(".");
	return end > 0 && host.charCodeAt(end + 1) >= 97 && !host.endsWith(".localhost");
}

function arePlainPorts(ports: readonly ServiceEntryPort[]): boolean {
	if (ports.length === 0 || ports.length > 256) {
		return false;
	}
	for (const [index, port] of ports.entries()) {
		if (!isPlainPort(port) || (index > 0 && isTaken(port, index, ports))) {
			return false;
		}
	}
	return true;
}

/** Whether a port before this one has its number or its name. */
function isTaken(
	{ number, name }: ServiceEntryPort,
	index: number,
	ports: readonly ServiceEntryPort[],
): boolean {
	return ports.findIndex((each) => each.number === number || each.name === name) < index;
}

function isPlainPort({ name, number, protocol, targetPort }: ServiceEntryPort): boolean {
	const plain = plainProtocols.get(protocol ?? "");
	return (
		plain !== undefined &&
		isPortNumber(number ?? 0) &&
		isPlainName(name ?? "") &&
		!name?.includes(".") &&
		(isAbsent(targetPort) || isPortNumber(targetPort ?? 0)) &&
		// Others look for what encrypts what goes to 443.
		!(plain.isClear && (number === 443 || targetPort === 443))
	);
}

function hasPlainName(metadata: ServiceEntry["metadata"]): boolean {
	const { name, generation } = metadata ?? {};
	return (isAbsent(name) || isPlainName(name ?? "")) && Number.isInteger(generation ?? 0);
}

function saysNothing(texts: Readonly<Record<string, string>> | null | undefined): boolean {
	for (const key in texts) {
		if (key.includes("istio.io/") && key !== useWaypointLabel && key !== useWaypointNamespaceLabel) {
			return false;
		}
	}
	return true;
}
