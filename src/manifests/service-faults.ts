import { isIP, isIPv4, isIPv6 } from "node:net";
import type { AddressRange } from "../core/address-range.ts";
import { parseAddressRange, rangeContains } from "../core/address-range.ts";
import type { Path } from "../core/finding.ts";
import { quote } from "../core/finding.ts";
import { isSubdomain, labelFaults } from "./metadata-faults.ts";
import type { SchemaFault } from "./schema-faults.ts";

/** A Service's spec whose fields have the types of the API. */
interface ServiceSpec {
	readonly type?: string | null;
	readonly allocateLoadBalancerNodePorts?: boolean | null;
	readonly clusterIP?: string | null;
	readonly clusterIPs?: readonly (string | null)[] | null;
	readonly externalName?: string | null;
	readonly externalIPs?: readonly (string | null)[] | null;
	readonly externalTrafficPolicy?: string | null;
	readonly healthCheckNodePort?: number | null;
	readonly internalTrafficPolicy?: string | null;
	readonly ipFamilies?: readonly (string | null)[] | null;
	readonly ipFamilyPolicy?: string | null;
	readonly loadBalancerClass?: string | null;
	readonly loadBalancerSourceRanges?: readonly (string | null)[] | null;
	readonly ports?: readonly (ServicePort | null)[] | null;
	readonly selector?: Readonly<Record<string, unknown>> | null;
	readonly sessionAffinity?: string | null;
	readonly sessionAffinityConfig?: {
		readonly clientIP?: { readonly timeoutSeconds?: number | null } | null;
	} | null;
	readonly trafficDistribution?: string | null;
}

interface ServicePort {
	readonly name?: string | null;
	readonly port?: number | null;
	readonly protocol?: string | null;
	readonly targetPort?: string | number | null;
	readonly nodePort?: number | null;
	readonly appProtocol?: string | null;
}

/** Those that are pointers in the API: a text of no characters is no default there. */
const pointers: ReadonlySet<string> = new Set([
	"internalTrafficPolicy",
	"ipFamilyPolicy",
	"trafficDistribution",
]);

const choices: readonly (readonly [keyof ServiceSpec, readonly string[]])[] = [
	["type", ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]],
	["sessionAffinity", ["None", "ClientIP"]],
	["externalTrafficPolicy", ["Cluster", "Local"]],
	["internalTrafficPolicy", ["Cluster", "Local"]],
	["ipFamilyPolicy", ["SingleStack", "PreferDualStack", "RequireDualStack"]],
	["trafficDistribution", ["PreferClose", "PreferSameZone", "PreferSameNode"]],
];

/**
 * What the API server has against a Service whose types are right (k8s.io/kubernetes pkg/apis/core/validation,
 * validateService). Whether its addresses are in the range of the cluster and free, only the cluster knows.
 */
export function* serviceFaults({ spec }: { readonly spec?: unknown }): Generator<SchemaFault> {
	const service = (spec ?? {}) as ServiceSpec;
	for (const [field, words] of choices) {
		const value = service[field];
		if (typeof value === "string" && (value !== "" || pointers.has(field)) && !words.includes(value)) {
			yield { path: ["spec", field], message: `${quote(value)} is none of ${words.join(", ")}` };
		}
	}
	yield* portFaults(service);
	yield* addressFaults(service);
	yield* outsideFaults(service);
	yield* typeFaults(service);
	yield* balancerFaults(service);
	yield* affinityFaults(service);
	for (const [key, value] of Object.entries(service.selector ?? {})) {
		yield* labelFaults(key, value, ["spec", "selector", key]);
	}
}

function* portFaults({ type, ports, ...service }: ServiceSpec): Generator<SchemaFault> {
	const list = (ports ?? []).map((port) => port ?? {});
	if (list.length === 0 && !isHeadless(service) && type !== "ExternalName") {
		yield { path: ["spec", "ports"], message: "this is missing" };
	}
	for (const [index, port] of list.entries()) {
		const path = ["spec", "ports", index];
		const others = list.slice(0, index);
		yield* portNameFaults(port.name ?? "", others, list.length > 1, [...path, "name"]);
		yield* portFault(port, path);
		const isSame = (field: "port" | "nodePort"): boolean =>
			others.some((other) => other[field] === port[field] && protocolOf(other) === protocolOf(port));
		if (isSame("port")) {
			yield { path, message: `another port has ${protocolOf(port)} ${port.port ?? 0}, too` };
		}
		if (port.nodePort && (isSame("nodePort") || (type || "ClusterIP") === "ClusterIP")) {
			yield {
				path: [...path, "nodePort"],
				message: isSame("nodePort") ? "another port has it, too" : "a Service of type ClusterIP has none",
			};
		}
	}
}

function protocolOf({ protocol }: ServicePort): string {
	return protocol || "TCP";
}

function* portNameFaults(
	name: string,
	others: readonly ServicePort[],
	isNeeded: boolean,
	path: Path,
): Generator<SchemaFault> {
	if (name === "") {
		if (isNeeded) {
			yield { path, message: "this is missing: a Service with several ports names each" };
		}
	} else if (others.some((other) => other.name === name)) {
		yield { path, message: `another port is called ${quote(name)}, too` };
	} else if (!isLabel(name)) {
		yield { path, message: `${quote(name)} is no name of a port: at most 63 small letters, digits and -` };
	}
}

function* portFault(port: ServicePort, path: Path): Generator<SchemaFault> {
	const { port: number = 0, protocol, targetPort, appProtocol } = port;
	if (!isPort(number ?? 0)) {
		yield { path: [...path, "port"], message: `${number ?? 0} is no port: 1 to 65535` };
	}
	if (protocol && !["TCP", "UDP", "SCTP"].includes(protocol)) {
		yield { path: [...path, "protocol"], message: `${quote(protocol)} is none of TCP, UDP, SCTP` };
	}
	const isTarget =
		typeof targetPort === "number"
			? targetPort === 0 || isPort(targetPort)
			: !targetPort || (targetPort.length <= 15 && isPortName(targetPort));
	if (!isTarget) {
		yield {
			path: [...path, "targetPort"],
			message: `${typeof targetPort === "string" ? quote(targetPort) : targetPort} is no port and no name of one`,
		};
	}
	if (appProtocol !== undefined && appProtocol !== null) {
		const [fault] = labelFaults(appProtocol, "", [...path, "appProtocol"]);
		if (fault !== undefined) {
			yield { path: fault.path, message: `${quote(appProtocol)} is no name of a protocol` };
		}
	}
}

function* addressFaults(service: ServiceSpec): Generator<SchemaFault> {
	const { clusterIP, ipFamilies, type } = service;
	const listed = textsOf(service.clusterIPs);
	const addresses = listed.length === 0 && clusterIP ? [clusterIP] : listed;
	const path = ["spec", listed.length === 0 ? "clusterIP" : "clusterIPs"];
	if (type === "ExternalName" && addresses.length > 0) {
		yield { path, message: "a Service of type ExternalName has none" };
		return;
	}
	if (listed.length > 0 && (clusterIP ?? "") !== listed[0]) {
		yield { path, message: "its first address must be that of clusterIP" };
	}
	if (addresses[0] === "None" ? addresses.length > 1 : addresses.some((each) => !isAddress(each))) {
		yield {
			path,
			message: `an IP address belongs here, or None alone, not ${addresses.map(quote).join(", ")}`,
		};
	} else if (addresses.length > 2 || (addresses.length === 2 && addresses.filter(isIPv4).length !== 1)) {
		yield { path, message: "at most one address of each family is allowed" };
	}
	yield* familyFaults(textsOf(ipFamilies), addresses, path);
}

function* familyFaults(
	families: readonly string[],
	addresses: readonly string[],
	path: Path,
): Generator<SchemaFault> {
	for (const [index, family] of families.entries()) {
		const address = addresses[index] ?? "";
		if (family !== "IPv4" && family !== "IPv6") {
			yield { path: ["spec", "ipFamilies", index], message: `${quote(family)} is none of IPv4, IPv6` };
		} else if (families.indexOf(family) !== index) {
			yield { path: ["spec", "ipFamilies", index], message: `${family} is there twice` };
		} else if (isIP(address) > 0 && isIPv6(address) !== (family === "IPv6")) {
			yield { path, message: `${address} is not of the family ${family}` };
		}
	}
}

/** Unspecified, loopback and link-local ones (ValidateEndpointIP), by Go's net.IP. */
const insideRanges: readonly AddressRange[] = [
	...["0.0.0.0/32", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/24"],
	...["::/128", "::1/128", "fe80::/10"],
	...Array.from("0123456789abcdef", (flags) => `ff${flags}2::/16`),
].flatMap((text) => parseAddressRange(text) ?? []);

/** A list as it is decoded: null becomes a text of no characters (encoding/json). */
function textsOf(list: readonly (string | null)[] | null | undefined): readonly string[] {
	return (list ?? []).map((text) => text ?? "");
}

/** What reaches a Service from outside. */
function* outsideFaults({ externalIPs, loadBalancerSourceRanges }: ServiceSpec): Generator<SchemaFault> {
	for (const [index, address] of textsOf(externalIPs).entries()) {
		const range = isAddress(address) ? parseAddressRange(address) : undefined;
		const isMapped = address.includes(":") && range?.family === 4;
		if (range === undefined || isMapped || insideRanges.some((inside) => rangeContains(inside, range))) {
			yield {
				path: ["spec", "externalIPs", index],
				message: `${quote(address)} is no address of an outside`,
			};
		}
	}
	for (const [index, range] of textsOf(loadBalancerSourceRanges).entries()) {
		if (!isRange(range.trim())) {
			yield { path: ["spec", "loadBalancerSourceRanges", index], message: `${quote(range)} is no CIDR` };
		}
	}
}

function* typeFaults(service: ServiceSpec): Generator<SchemaFault> {
	const { type, externalName, externalTrafficPolicy, loadBalancerSourceRanges, healthCheckNodePort } =
		service;
	const isReached = type === "NodePort" || type === "LoadBalancer";
	if (isReached && isHeadless(service)) {
		yield { path: ["spec", "clusterIP"], message: `a Service of type ${type} cannot have None` };
	}
	if (type === "ExternalName") {
		const name = (externalName ?? "").replace(/\.$/, "");
		if (!isSubdomain(name)) {
			yield { path: ["spec", "externalName"], message: `${quote(externalName ?? "")} is no name of a host` };
		}
		for (const field of ["ipFamilies", "ipFamilyPolicy"] as const) {
			const value = service[field];
			if (value !== undefined && value !== null && value.length > 0) {
				yield { path: ["spec", field], message: "a Service of type ExternalName has none" };
			}
		}
	}
	if (externalTrafficPolicy && !isReached && (service.externalIPs ?? []).length === 0) {
		yield {
			path: ["spec", "externalTrafficPolicy"],
			message: "only a Service of type NodePort or LoadBalancer, or one with externalIPs, has it",
		};
	}
	if ((loadBalancerSourceRanges ?? []).length > 0 && type !== "LoadBalancer") {
		yield {
			path: ["spec", "loadBalancerSourceRanges"],
			message: "only a Service of type LoadBalancer has them",
		};
	}
	const isChecked = type === "LoadBalancer" && externalTrafficPolicy === "Local";
	if (healthCheckNodePort && (!isChecked || !isPort(healthCheckNodePort))) {
		yield {
			path: ["spec", "healthCheckNodePort"],
			message:
				"only a Service of type LoadBalancer with externalTrafficPolicy Local has it, and it is a port",
		};
	}
}

function* balancerFaults(service: ServiceSpec): Generator<SchemaFault> {
	const { type, allocateLoadBalancerNodePorts, loadBalancerClass } = service;
	if (typeof loadBalancerClass === "string") {
		const path = ["spec", "loadBalancerClass"];
		const [fault] = labelFaults(loadBalancerClass, "", path);
		if (type !== "LoadBalancer") {
			yield { path, message: "only a Service of type LoadBalancer has one" };
		} else if (fault !== undefined) {
			yield { path, message: `${quote(loadBalancerClass)} is no name of a class` };
		}
	}
	if (typeof allocateLoadBalancerNodePorts === "boolean" && type !== "LoadBalancer") {
		yield {
			path: ["spec", "allocateLoadBalancerNodePorts"],
			message: "only a Service of type LoadBalancer has it",
		};
	}
}

function* affinityFaults({ sessionAffinity, sessionAffinityConfig }: ServiceSpec): Generator<SchemaFault> {
	// Without it the configuration is left out (k8s.io/kubernetes pkg/apis/core/v1/defaults.go).
	const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
	if (sessionAffinity === "ClientIP" && typeof seconds === "number" && (seconds <= 0 || seconds > 86_400)) {
		yield {
			path: ["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"],
			message: `${seconds} is not between 1 and 86400`,
		};
	}
}

function isHeadless({ clusterIP, clusterIPs }: ServiceSpec): boolean {
	return clusterIP === "None" || (clusterIPs?.length === 1 && clusterIPs[0] === "None");
}

function isPort(value: number): boolean {
	return value >= 1 && value <= 65_535;
}

function isLabel(value: string): boolean {
	return value.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(value);
}

function isPortName(value: string): boolean {
	return /^[a-z0-9](?:-?[a-z0-9])*$/.test(value) && /[a-z]/.test(value);
}

function isAddress(value: string): boolean {
	return isIP(value) > 0 && !value.includes("%");
}

function isRange(value: string): boolean {
	const [address = "", bits = "", ...more] = value.split("/");
	return (
		isAddress(address) &&
		/^\d{1,3}$/.test(bits) &&
		Number(bits) <= (isIPv4(address) ? 32 : 128) &&
		more.length === 0
	);
}
