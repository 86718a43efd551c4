import type { Change } from "../../core/changed-inventory.ts";
import { ChangedInventory } from "../../core/changed-inventory.ts";
import { canonicalHost, covers, domainOf, parseHostPattern } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { WaypointReference } from "../../core/settings.ts";
import { waypointOfEntry } from "../attachment/targets.ts";
import type { EntryPort } from "../entry/entry.ts";
import { specOf } from "../entry/entry.ts";
import type { Origination, RulesOf } from "./tls-origination.ts";
import { originationsAt, rememberRulesOf } from "./tls-origination.ts";

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

/** The entries with a waypoint that have a host, or a name below a wildcard. */
export function* entriesOfHost(
	text: string,
	inventory: Inventory,
): Iterable<{ readonly entry: ServiceEntry; readonly waypoint: WaypointReference }> {
	const host = canonicalHost(text);
	const pattern = parseHostPattern(host);
	const isWild = host.startsWith("*.") && pattern !== undefined;
	const found = isWild
		? inventory.lookup("serviceEntryByDomain", domainOf(host.slice(2)))
		: inventory.lookup("serviceEntryByHost", host);
	for (const entry of found) {
		const isOf =
			!isWild ||
			(entry.spec?.hosts ?? []).some((each) => canonicalHost(each) === host || covers(pattern, each));
		const waypoint = isOf ? waypointOfEntry(entry, inventory) : undefined;
		if (waypoint !== undefined) {
			yield { entry, waypoint };
		}
	}
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

/** The hosts of an entry; of those that the same settings are for, which is told by `sameFor`, the first one only. */
export function* hostsAt(
	entry: ServiceEntry,
	waypoint: WaypointReference,
	sameFor: (host: string) => unknown,
): Iterable<WaypointHost> {
	const seen = new Set<unknown>();
	for (const host of specOf(entry).hosts) {
		const same = sameFor(host);
		if (!seen.has(same)) {
			seen.add(same);
			yield { entry, host, waypoint };
		}
	}
}

/** Gives two things that are found for a host as one, which is the same where both are. */
function pairs(one: (host: string) => object, other: (host: string) => object): (host: string) => object {
	const known = new Map<object, Map<object, object>>();
	return (host) => {
		const [first, second] = [one(host), other(host)];
		const seconds = known.get(first) ?? new Map<object, object>();
		const pair = seconds.get(second) ?? { first, second };
		known.set(first, seconds.set(second, pair));
		return pair;
	};
}

/** The first port of these entries for which a waypoint originates TLS while an object is as it was, and no more then. */
export function firstTlsLoss(
	entries: Iterable<{ readonly entry: ServiceEntry; readonly waypoint: WaypointReference }>,
	old: Change["object"],
	change: Change,
	inventory: Inventory,
): { readonly lost: WaypointPort; readonly after: Origination | undefined } | undefined {
	const before = new ChangedInventory(inventory, { ...change, object: old });
	const then = new ChangedInventory(inventory, change);
	// Many entries may have a host, and many rules be about it.
	const [rulesBefore, rulesThen] = [rememberRulesOf(), rememberRulesOf()];
	const pairOf = pairs(
		(host) => rulesBefore(host, before),
		(host) => rulesThen(host, then),
	);
	for (const { entry, waypoint } of entries) {
		const { ports } = specOf(entry);
		for (const each of hostsAt(entry, waypoint, pairOf)) {
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
