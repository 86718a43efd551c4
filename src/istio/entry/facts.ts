import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry, ServiceEntryPort } from "../../core/kinds.ts";
import { useWaypointLabel, useWaypointNamespaceLabel } from "../../core/policy.ts";
import type { RuleContext } from "../../core/rule.ts";
import { hasReadableLabels } from "../waypoint/binding.ts";
import { isClusterHost } from "./cluster-hosts.ts";
import { isPortNumber } from "./ports.ts";

const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
// One for all names: where little is asked, fetching another expression's code costs more than running it.
const plainName = new RegExp(`^${label}(?:\\.${label})*$`);

/** Protocols that say which host a connection is for, and whether they are plain text. */
const plainProtocols: ReadonlyMap<string, { readonly isClear: boolean }> = new Map([
	["HTTP", { isClear: true }],
	["HTTP2", { isClear: true }],
	["GRPC", { isClear: true }],
	["HTTPS", { isClear: false }],
	["TLS", { isClear: false }],
]);

/**
 * Whether an entry is what nearly all are: external hosts by their full names, well-formed ports, resolution DNS, and
 * nothing else. Every rule about something else, and about how these are written, is silent for it.
 */
export function isPlainEntry({ metadata, spec }: ServiceEntry, { inventory }: RuleContext): boolean {
	return (
		spec !== undefined &&
		spec !== null &&
		spec.resolution === "DNS" &&
		(spec.location ?? "MESH_EXTERNAL") === "MESH_EXTERNAL" &&
		isAbsent(spec.endpoints) &&
		isAbsent(spec.workloadSelector) &&
		isEmpty(spec.addresses) &&
		isEmpty(spec.exportTo) &&
		isEmpty(spec.subjectAltNames) &&
		arePlainHosts(spec.hosts ?? [], inventory) &&
		arePlainPorts(spec.ports ?? []) &&
		hasPlainMetadata(metadata)
	);
}

function isAbsent(value: unknown): boolean {
	return value === undefined || value === null;
}

function isEmpty(list: readonly unknown[] | null | undefined): boolean {
	return list === undefined || list === null || list.length === 0;
}

function arePlainHosts(hosts: readonly string[], inventory: Inventory): boolean {
	return (
		hosts.length > 0 &&
		hosts.length <= 256 &&
		hosts.every(
			(host) =>
				isPlainName(host) &&
				hasPlainEnd(host) &&
				!host.endsWith(".localhost") &&
				!isClusterHost(host, inventory),
		)
	);
}

/** Lower case and digits, as host names and the names of objects are. */
function isPlainName(name: string): boolean {
	return name.length <= 253 && plainName.test(name);
}

/** Whether a plain name has several labels, the last of which begins with a letter, so that it is no IP address. */
function hasPlainEnd(host: string): boolean {
	const dot = host.lastIndexOf(".");
	return dot > 0 && host.charAt(dot + 1) >= "a";
}

function arePlainPorts(ports: readonly ServiceEntryPort[]): boolean {
	return (
		ports.length > 0 &&
		ports.length <= 256 &&
		ports.every(
			(port, index) =>
				isPlainPort(port) &&
				ports.findIndex((each) => each.number === port.number || each.name === port.name) === index,
		)
	);
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

/** Whether labels and annotations say nothing to Istio, but for the two labels that bind to a waypoint. */
function hasPlainMetadata(metadata: ServiceEntry["metadata"]): boolean {
	const { name, generation, labels, annotations } = metadata ?? {};
	return (
		(isAbsent(name) || isPlainName(name ?? "")) &&
		Number.isInteger(generation ?? 0) &&
		saysNothing(annotations) &&
		saysNothing(labels) &&
		hasReadableLabels({ metadata })
	);
}

function saysNothing(texts: Readonly<Record<string, string>> | null | undefined): boolean {
	for (const key in texts) {
		if (key.includes("istio.io/") && key !== useWaypointLabel && key !== useWaypointNamespaceLabel) {
			return false;
		}
	}
	return true;
}
