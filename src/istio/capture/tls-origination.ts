import { canonicalHost } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import { isAny } from "../../core/inventory.ts";
import type { BackendTlsPolicy, DestinationRule, Kind, ServiceEntry } from "../../core/kinds.ts";
import type { RuleContext } from "../../core/rule.ts";
import type { WaypointReference } from "../../core/settings.ts";
import { borderReads } from "../entry/border.ts";
import type { EntryPort } from "../entry/entry.ts";
import { specOf } from "../entry/entry.ts";
import { wildcardsAbove } from "../entry/hosts.ts";
import { entryBinding } from "../waypoint/binding.ts";

/** What `leavingPorts` may look at. */
export const leavingPortReads: readonly Kind[] = [
	...borderReads,
	"Namespace",
	"DestinationRule",
	"BackendTLSPolicy",
];

/** Who looks for a host's DestinationRule: a waypoint, on behalf of an entry. */
export interface OriginationPlace {
	readonly waypointNamespace: string;
	readonly entryNamespace: string;
	readonly entryName: string;
}

/** What encrypts the traffic of a port when it leaves a waypoint. */
export interface Origination {
	/** SIMPLE, MUTUAL, ISTIO_MUTUAL or DISABLE; a BackendTLSPolicy is SIMPLE. */
	readonly mode: string;
	/** `DestinationRule NAMESPACE/NAME`, for messages. */
	readonly source: string;
	/** The settings are the whole host's, and so every port's. */
	readonly isWholeHost: boolean;
}

/**
 * The TLS settings that a waypoint uses for a port of a host: a BackendTLSPolicy for the entry, else the DestinationRule
 * of the waypoint's namespace, of the entry's, of the root namespace, with the most specific host
 * (pilot/pkg/model/push_context.go: destinationRule).
 */
export function originationAt(
	host: string,
	port: OriginationPort,
	place: OriginationPlace,
	inventory: Inventory,
): Origination | undefined {
	return originationsAt(host, place, inventory, rulesOfHost)(port);
}

/** The part of a port by which its settings are found. */
export interface OriginationPort {
	readonly number: number;
	readonly name: string;
}

/** The same for every port of a host: all of them share what is looked up. */
export function originationsAt(
	host: string,
	place: OriginationPlace,
	inventory: Inventory,
	rulesOf: RulesOf,
): (port: OriginationPort) => Origination | undefined {
	const { entryNamespace, entryName } = place;
	const key = `${entryNamespace}/networking.istio.io/ServiceEntry/${entryName}`;
	const policies = [...inventory.lookup("backendTlsPolicyByTarget", key)];
	const rule = destinationRuleFor(rulesOf(host, inventory), place, inventory);
	return (port) => {
		const policy = policies.find((each) => reaches(each, entryName, port));
		if (policy !== undefined) {
			const source = `BackendTLSPolicy ${entryNamespace}/${policy.metadata?.name ?? ""}`;
			return { mode: "SIMPLE", source, isWholeHost: false };
		}
		return rule === undefined ? undefined : tlsOf(rule, port.number);
	};
}

function reaches({ spec }: BackendTlsPolicy, entryName: string, port: OriginationPort): boolean {
	return (spec?.targetRefs ?? []).some(
		(target) =>
			target.kind === "ServiceEntry" &&
			target.name === entryName &&
			(target.sectionName ?? port.name) === port.name,
	);
}

/** A port of an entry at a waypoint, with what encrypts its traffic when it leaves. */
export interface LeavingPort {
	readonly index: number;
	readonly port: EntryPort;
	/** The first host: all hosts of an entry share its ports. */
	readonly host: string;
	readonly waypoint: WaypointReference;
	readonly tls: Origination | undefined;
	/** Nothing encrypts it: mode ISTIO_MUTUAL has no effect at a waypoint. */
	readonly isPlain: boolean;
}

/** The ports of an entry that shall take a waypoint, as far as a rule picks them. */
export function* leavingPorts(
	entry: ServiceEntry,
	context: RuleContext,
	picks: (port: EntryPort) => boolean,
): Iterable<LeavingPort> {
	const { target } = entryBinding(entry, context);
	const { hosts, ports } = specOf(entry);
	const host = hosts[0];
	if (target === undefined || host === undefined) {
		return;
	}
	const place = {
		waypointNamespace: target.namespace,
		entryNamespace: context.namespace,
		entryName: context.name ?? "",
	};
	for (const [index, port] of ports.entries()) {
		if (picks(port)) {
			const tls = originationAt(host, port, place, context.inventory);
			const isPlain = tls === undefined || tls.mode === "DISABLE" || tls.mode === "ISTIO_MUTUAL";
			yield { index, port, host, waypoint: target, tls, isPlain };
		}
	}
}

/**
 * Whether something stands where a waypoint would look for TLS settings of an entry: a DestinationRule in any of three
 * namespaces, or a BackendTLSPolicy.
 */
export function mayHaveTlsSettings(entry: ServiceEntry, context: RuleContext): boolean {
	const { namespace, inventory } = context;
	const waypointNamespace = entryBinding(entry, context).target?.namespace ?? namespace;
	return (
		(waypointNamespace !== namespace && isAny(inventory.inNamespace("DestinationRule", waypointNamespace))) ||
		isAny(inventory.inNamespace("DestinationRule", namespace)) ||
		isAny(inventory.inNamespace("DestinationRule", inventory.mesh.rootNamespace)) ||
		isAny(inventory.inNamespace("BackendTLSPolicy", namespace))
	);
}

/** The TLS settings of a DestinationRule for a port; undefined when it has none. */
export function tlsOf(rule: DestinationRule, port: number): Origination | undefined {
	const { trafficPolicy } = rule.spec ?? {};
	const level = (trafficPolicy?.portLevelSettings ?? []).find((each) => each.port?.number === port);
	// Settings of a port replace those of the host altogether (util.GetPortLevelTrafficPolicy).
	const tls = level === undefined ? trafficPolicy?.tls : level.tls;
	return tls === undefined || tls === null
		? undefined
		: {
				mode: tls.mode ?? "DISABLE",
				source: `DestinationRule ${rule.metadata?.namespace ?? ""}/${rule.metadata?.name ?? ""}`,
				isWholeHost: level === undefined,
			};
}

/** The DestinationRules that may hold for a host, by their namespace; in each the one that goes first stands first. */
export type RulesOf = (host: string, inventory: Inventory) => ReadonlyMap<string, readonly DestinationRule[]>;

const rulesOfHost: RulesOf = (host, inventory) => {
	const name = canonicalHost(host);
	return byNamespace([...rulesFor([name], inventory), ...rulesFor(keysAbove(name), inventory)]);
};

/** Every other key under which a rule for a host may stand: of the wildcards above it, and of the one for all. */
function keysAbove(name: string): readonly string[] {
	return [...wildcardsAbove(name), "*"];
}

function rulesFor(hosts: readonly string[], inventory: Inventory): readonly DestinationRule[] {
	const rules: DestinationRule[] = [];
	for (const each of hosts) {
		for (const rule of [...inventory.lookup("destinationRuleByHost", each)].toSorted(compareAge)) {
			// A waypoint passes over it, whichever pods it selects (pilot/pkg/model/sidecar.go: DestinationRule).
			if (!hasSelector(rule)) {
				rules.push(rule);
			}
		}
	}
	return rules;
}

function byNamespace(rules: readonly DestinationRule[]): ReturnType<RulesOf> {
	return Map.groupBy(rules, ({ metadata }) => metadata?.namespace ?? "");
}

/**
 * Looks each host up once in one world, for who asks about many hosts, and for many entries. Hosts that the same rules
 * are for, since none is for one of them alone, are given the same map.
 */
export function rememberRulesOf(): RulesOf {
	const known = new Map<string, ReturnType<RulesOf>>();
	const above = new Map<string, ReturnType<RulesOf>>();
	return (host, inventory) => {
		const name = canonicalHost(host);
		if (hasRuleOfItsOwn(name, inventory)) {
			const rules = known.get(name) ?? rulesOfHost(name, inventory);
			known.set(name, rules);
			return rules;
		}
		const domain = domainBelow(name);
		let shared = above.get(domain);
		if (shared === undefined) {
			shared = byNamespace(rulesFor(keysAbove(name), inventory));
			above.set(domain, shared);
		}
		return shared;
	};
}

/** Whether the DestinationRules for a host in canonical form may be others than those for the rest of its domain. */
export function hasRuleOfItsOwn(name: string, inventory: Inventory): boolean {
	return (
		name.indexOf(".") < 0 ||
		name.startsWith("*") ||
		name.length > 255 ||
		isAny(inventory.lookup("destinationRuleByHost", name))
	);
}

/** The domain in which a host stands, from its first dot on. */
export function domainBelow(name: string): string {
	return name.slice(name.indexOf("."));
}

function destinationRuleFor(
	rules: ReturnType<RulesOf>,
	{ waypointNamespace, entryNamespace }: OriginationPlace,
	inventory: Inventory,
): DestinationRule | undefined {
	for (const namespace of new Set([waypointNamespace, entryNamespace, inventory.mesh.rootNamespace])) {
		const found = rules.get(namespace)?.find((rule) => isExported(rule, waypointNamespace));
		if (found !== undefined) {
			return found;
		}
	}
	return undefined;
}

/** The order in which istiod takes objects: by creation, then by name (pilot/pkg/model: sortConfigByCreationTime). */
function compareAge(one: DestinationRule, other: DestinationRule): number {
	const [first, second] = [ageKey(one), ageKey(other)];
	return first < second ? -1 : first > second ? 1 : 0;
}

/** An object without a time of creation is one that is only being written: the youngest. */
function ageKey({ metadata }: DestinationRule): string {
	const { creationTimestamp, name, namespace } = metadata ?? {};
	return `${creationTimestamp ?? "~"} ${name ?? ""}.${namespace ?? ""}`;
}

/** Whether a DestinationRule holds for selected pods only, so that no waypoint reads it. */
export function hasSelector({ spec }: DestinationRule): boolean {
	return (spec?.workloadSelector ?? undefined) !== undefined;
}

function isExported(rule: DestinationRule, to: string): boolean {
	const exportTo = rule.spec?.exportTo ?? [];
	const own = rule.metadata?.namespace ?? "";
	return (
		exportTo.length === 0 ||
		exportTo.some((each) => each === "*" || each === to || (each === "." && own === to))
	);
}

/** What asking whether a route leads to a port may look at. */
export const leadingRouteReads: readonly Kind[] = ["VirtualService", "HTTPRoute"];

/**
 * Whether a route takes HTTP requests for a host to a port of that host which carries TLS: then the TLS that a waypoint
 * originates on that port is wanted, and not TLS inside TLS.
 */
export function isRoutedTo(host: string, port: number, namespace: string, inventory: Inventory): boolean {
	const name = canonicalHost(host);
	for (const { spec } of inventory.lookup("virtualServiceByHost", name)) {
		const destinations = (spec?.http ?? []).flatMap(({ route }) => route ?? []);
		if (
			destinations.some(
				({ destination }) =>
					canonicalHost(destination?.host ?? "") === name && destination?.port?.number === port,
			)
		) {
			return true;
		}
	}
	for (const { spec } of inventory.inNamespace("HTTPRoute", namespace)) {
		const backends = (spec?.rules ?? []).flatMap(({ backendRefs }) => backendRefs ?? []);
		if (backends.some((each) => canonicalHost(each.name ?? "") === name && each.port === port)) {
			return true;
		}
	}
	return false;
}
