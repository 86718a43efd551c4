import { canonicalHost } from "./host-pattern.ts";
import type {
	DestinationRule,
	GatewayRoute,
	Kind,
	Resources,
	ServiceEntry,
	VirtualService,
	WorkloadEntry,
} from "./kinds.ts";
import { conformsToKind } from "./kinds.ts";
import type { Widening } from "./ratchet.ts";
import { meshGateway } from "./service-names.ts";

const nothing: Widening = { any: false, hosts: false };

/** What an object reaches, as texts that differ from one another: by the hosts that it is for, and by what else. */
interface Reach {
	readonly hosts: Iterable<string>;
	readonly ways: Iterable<string>;
}

type Reaches = { readonly [K in Kind]?: (object: Resources[K]) => Reach };

const reaches: Reaches = {
	ServiceEntry: (entry) => ({ hosts: entryHosts(entry), ways: entryWays(entry) }),
	VirtualService: (route) => ({ hosts: routedHosts(route), ways: [] }),
	HTTPRoute: (route) => ({ hosts: parents(route), ways: [] }),
	GRPCRoute: (route) => ({ hosts: parents(route), ways: [] }),
	TLSRoute: (route) => ({ hosts: parents(route), ways: [] }),
	TCPRoute: (route) => ({ hosts: parents(route), ways: [] }),
	DestinationRule: (rule) => ({ hosts: ruledHost(rule), ways: [] }),
	WorkloadEntry: (machine) => ({ hosts: machineAddress(machine), ways: [] }),
};

/**
 * What an update adds to what an object reaches: an entry's hosts, ports and endpoints, what a route stands for, the host of
 * a DestinationRule, the address of a machine. An object whose shape is wrong is refused for that.
 */
export function widensEgress<K extends Kind>(kind: K, object: unknown, old: unknown): Widening {
	const reach = reaches[kind];
	if (reach === undefined || !conformsToKind(kind, object) || !conformsToKind(kind, old)) {
		return nothing;
	}
	const [now, before] = [reach(object), reach(old)];
	const hosts = isMore(now.hosts, before.hosts);
	return { hosts, any: hosts || isMore(now.ways, before.ways) };
}

function isMore(now: Iterable<string>, before: Iterable<string>): boolean {
	const had = new Set(before);
	return [...now].some((each) => !had.has(each));
}

function* entryHosts({ spec }: ServiceEntry): Iterable<string> {
	for (const host of spec?.hosts ?? []) {
		yield canonicalHost(host);
	}
}

/** Each thing besides hosts by which an entry reaches out. */
function* entryWays({ spec }: ServiceEntry): Iterable<string> {
	for (const address of spec?.addresses ?? []) {
		yield `address ${address}`;
	}
	for (const { address, ports } of spec?.endpoints ?? []) {
		yield `endpoint ${address ?? ""} ${ports ? JSON.stringify(Object.entries(ports).sort()) : "[]"}`;
	}
	for (const { number, targetPort } of spec?.ports ?? []) {
		yield `port ${number ?? 0} ${targetPort ?? 0}`;
	}
}

/** The hosts and the gateways of a VirtualService: requests of either take its routes. */
function* routedHosts({ spec }: VirtualService): Iterable<string> {
	for (const host of spec?.hosts ?? []) {
		yield canonicalHost(host);
	}
	for (const gateway of spec?.gateways ?? [meshGateway]) {
		yield `gateway ${gateway}`;
	}
}

/** What a route of the Gateway API stands on. */
function* parents({ spec }: GatewayRoute): Iterable<string> {
	for (const { group, kind, namespace, name } of spec?.parentRefs ?? []) {
		yield JSON.stringify([group, kind, namespace, name]);
	}
}

function ruledHost({ spec }: DestinationRule): readonly string[] {
	return [canonicalHost(spec?.host ?? "")];
}

function machineAddress({ spec }: WorkloadEntry): readonly string[] {
	return [canonicalHost(spec?.address ?? "")];
}
