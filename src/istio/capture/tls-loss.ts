import type { Change } from "../../core/changed-inventory.ts";
import { ChangedInventory } from "../../core/changed-inventory.ts";
import type { HostPattern } from "../../core/host-pattern.ts";
import { canonicalHost, covers, domainOf, parseHostPattern } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { WaypointReference } from "../../core/settings.ts";
import { waypointOfEntry } from "../attachment/targets.ts";
import type { EntryPort } from "../entry/entry.ts";
import { specOf } from "../entry/entry.ts";
import type { Origination, RulesOf } from "./tls-origination.ts";
import { domainBelow, hasRuleOfItsOwn, originationsAt, rememberRulesOf } from "./tls-origination.ts";

/** A host of an entry at a waypoint. */
export interface WaypointHost {
	readonly entry: ServiceEntry;
	readonly host: string;
	readonly waypoint: WaypointReference;
}

/** A port of an entry at a waypoint. */
export interface WaypointPort extends WaypointHost {
	readonly port: EntryPort;
}

/** An entry at a waypoint, and the hosts of it that matter. */
export interface WaypointEntry {
	readonly entry: ServiceEntry;
	readonly waypoint: WaypointReference;
	/** As they are written there; left out: all that it has. */
	readonly hosts?: readonly string[];
}

/** The entries with a waypoint that have a host, which is given with them, or a name below a wildcard. */
export function* entriesOfHost(text: string, inventory: Inventory): Iterable<WaypointEntry> {
	const host = canonicalHost(text);
	const pattern = parseHostPattern(host);
	const isWild = host.startsWith("*.") && pattern !== undefined;
	const found = isWild
		? inventory.lookup("serviceEntryByDomain", domainOf(host.slice(2)))
		: inventory.lookup("serviceEntryByHost", host);
	for (const entry of found) {
		const all = specOf(entry).hosts;
		const hosts = isWild ? hostsUnder(pattern, all) : hostsNamed(host, all);
		const waypoint = hosts.length > 0 ? waypointOfEntry(entry, inventory) : undefined;
		if (waypoint !== undefined) {
			yield { entry, waypoint, hosts };
		}
	}
}

/** All of them where one is below the wildcard: telling which are takes longer than looking at each. */
function hostsUnder(pattern: HostPattern, hosts: readonly string[]): readonly string[] {
	return hosts.some((each) => canonicalHost(each) === pattern.text || covers(pattern, each)) ? hosts : [];
}

function hostsNamed(host: string, hosts: readonly string[]): readonly string[] {
	// Nearly every host is written as it is compared.
	return hosts.includes(host) ? [host] : hosts.filter((each) => canonicalHost(each) === host);
}

/** What encrypts what leaves a waypoint for each port of a host. */
export function originationsOf(
	{ entry, host, waypoint }: WaypointHost,
	inventory: Inventory,
	rulesOf: RulesOf,
): (port: EntryPort) => Origination | undefined {
	const place = {
		waypointNamespace: waypoint.namespace,
		entryNamespace: entry.metadata?.namespace ?? "",
		entryName: entry.metadata?.name ?? "",
	};
	return originationsAt(host, place, inventory, rulesOf);
}

/** Whether settings encrypt: mode ISTIO_MUTUAL has no effect at a waypoint (cluster_waypoint.go: buildWaypointTLSContext). */
export function encrypts(tls: Origination | undefined): boolean {
	return tls?.mode === "SIMPLE" || tls?.mode === "MUTUAL";
}

/** Hosts of an entry; of those that the same settings are for, which is told by `sameFor`, the first one only. */
export function* hostsAt(
	{ entry, waypoint, hosts = specOf(entry).hosts }: WaypointEntry,
	sameFor: (host: string) => unknown,
): Iterable<WaypointHost> {
	const seen = new Set<unknown>();
	for (const host of hosts) {
		const same = sameFor(host);
		if (!seen.has(same)) {
			seen.add(same);
			yield { entry, host, waypoint };
		}
	}
}

/** The first port of these entries for which a waypoint originates TLS while an object is as it was, and no more then. */
export function firstTlsLoss(
	entries: Iterable<WaypointEntry>,
	old: Change["object"],
	change: Change,
	inventory: Inventory,
): { readonly lost: WaypointPort; readonly after: Origination | undefined } | undefined {
	const before = new ChangedInventory(inventory, { ...change, object: old });
	const then = new ChangedInventory(inventory, change);
	// Many entries may have a host, and many rules be about it.
	const [rulesBefore, rulesThen] = [rememberRulesOf(), rememberRulesOf()];
	const sameFor = (host: string): string => {
		const name = canonicalHost(host);
		return hasRuleOfItsOwn(name, before) || hasRuleOfItsOwn(name, then) ? name : domainBelow(name);
	};
	for (const found of entries) {
		const { ports } = specOf(found.entry);
		for (const each of hostsAt(found, sameFor)) {
			const tlsBefore = originationsOf(each, before, rulesBefore);
			const tlsThen = originationsOf(each, then, rulesThen);
			const port = ports.find((one) => encrypts(tlsBefore(one)) && !encrypts(tlsThen(one)));
			if (port !== undefined) {
				return { lost: { ...each, port }, after: tlsThen(port) };
			}
		}
	}
	return undefined;
}
