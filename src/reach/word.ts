import { isExemptNamespace } from "../core/exempt-namespaces.ts";
import { covers, overlaps, someCovers, someOverlaps } from "../core/host-pattern.ts";
import type { Authority, Policy } from "../core/policy.ts";
import { coversPort, parseProtocol } from "../core/port-range.ts";
import type { Settings } from "../core/settings.ts";

/** What a policy is asked about: a host as a ServiceEntry or a person names it, and a port of it. */
export interface Destination {
	readonly host: string;
	/** Undefined: any port, so that the lists of ports and protocols are not asked. */
	readonly port: number | undefined;
	/** The port's protocol in any case; "" when it names none. */
	readonly protocol: string;
}

/** The lists of a policy, by their annotations' names. */
export type PolicyList = "denied-hosts" | "allowed-hosts" | "allowed-ports" | "allowed-protocols";

/** Where a policy says so: whose list, which one, and the item that decided; none where no item of the list fits. */
export interface PolicyLine {
	readonly by: Authority;
	readonly list: PolicyList;
	readonly item: string | undefined;
}

/** The rules of the family `policy` that an exemption must name to lift a list. */
export const ruleOfList: { readonly [L in PolicyList]: string } = {
	"denied-hosts": "serviceentry-policy-host",
	"allowed-hosts": "serviceentry-policy-host",
	"allowed-ports": "serviceentry-policy-port",
	"allowed-protocols": "serviceentry-policy-protocol",
};

/** What in a policy forbids a destination; undefined when it is allowed. The same lists hold an entry when it is written. */
export function refusalOf(policy: Policy, destination: Destination): PolicyLine | undefined {
	return hostRefusal(policy, destination.host) ?? portRefusal(policy, destination);
}

/** What in the lists of hosts forbids a host. */
export function hostRefusal(policy: Policy, host: string): PolicyLine | undefined {
	for (const { by, patterns } of policy.deniedHosts) {
		const hit = someOverlaps(patterns, host)
			? patterns.find((pattern) => overlaps(pattern, host))
			: undefined;
		if (hit !== undefined) {
			return { by, list: "denied-hosts", item: hit.text };
		}
	}
	const strict = policy.allowedHosts.find(({ patterns }) => !someCovers(patterns, host));
	return strict === undefined ? undefined : { by: strict.by, list: "allowed-hosts", item: undefined };
}

/** What in the lists of ports and protocols forbids a port. */
export function portRefusal(
	policy: Policy,
	{ port, protocol }: Pick<Destination, "port" | "protocol">,
): PolicyLine | undefined {
	if (port === undefined) {
		return undefined;
	}
	const name = parseProtocol(protocol);
	const strictPorts = policy.allowedPorts.find(
		({ ranges }) => !ranges.some((range) => coversPort(range, port, name)),
	);
	if (strictPorts !== undefined) {
		return { by: strictPorts.by, list: "allowed-ports", item: undefined };
	}
	const strict = policy.allowedProtocols.find(({ protocols }) => name === undefined || !protocols.has(name));
	return strict === undefined ? undefined : { by: strict.by, list: "allowed-protocols", item: undefined };
}

/** The line of the lists of hosts that allows a host, the namespace's own before the cluster's; undefined: no list limits. */
export function allowanceOf(policy: Policy, host: string): PolicyLine | undefined {
	const list = policy.allowedHosts.findLast(({ patterns }) => someCovers(patterns, host));
	const item = list?.patterns.find((pattern) => covers(pattern, host))?.text;
	return list === undefined ? undefined : { by: list.by, list: "allowed-hosts", item };
}

/** A policy line as people write it: `allowed-hosts *.example.com`, of the namespace or of the cluster. */
export function lineText({ by, list, item }: PolicyLine): string {
	const name = by === "cluster" ? `the cluster's ${list.replace("-", " ")}` : list;
	return item === undefined ? name : `${name} ${item}`;
}

/** What follows from a policy's word: it holds, it is only watched, or nobody asks. */
export type Weight = "enforced" | "watched" | "ignored";

/** How much a namespace's policy weighs: by its mode, and nothing where the cluster exempts the namespace. */
export function weightOf(policy: Policy, settings: Settings): Weight {
	if (isExemptNamespace(policy.namespace, settings) || policy.mode === "off") {
		return "ignored";
	}
	return policy.mode === "enforce" ? "enforced" : "watched";
}

/** Whether the namespace is exempted on a day from the rule behind a list, so that the list is only watched. */
export function isLifted(policy: Policy, list: PolicyList, today: string): boolean {
	const exemption = policy.exemptions.get(ruleOfList[list]);
	return exemption !== undefined && today <= exemption.until;
}
