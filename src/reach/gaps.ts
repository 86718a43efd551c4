import type { EntryGap, Gaps, NamespaceGap, NamespaceGaps } from "../core/gaps.ts";
import type { Inventory } from "../core/inventory.ts";
import type { Stepwise } from "../core/stepwise.ts";
import { finish } from "../core/stepwise.ts";
import type { Bits } from "./bits.ts";
import { both, countOf, either, except, hasBit, isEmpty, noBits, numbersOf, setBit } from "./bits.ts";
import type { Outlet, Reach } from "./reach.ts";
import { walkHosts } from "./reach.ts";

/** The most namespaces, and the most destinations, that a gap names. */
const mostNames = 3;

/** How many pairs of a namespace and a port of a host are reached against an enforced policy, by which way. */
export interface GapCount {
	readonly waypoint: number;
	readonly direct: number;
}

/** Where the enforced policies of a world are not kept, for its objects and in numbers. */
export interface FoundGaps extends Gaps {
	readonly total: GapCount;
	/** The hosts of an entry to which the waypoint refuses every connection; undefined: none. */
	refusedHosts(namespace: string, name: string): ReadonlySet<string> | undefined;
	/** The entries and namespaces that have one, or such a host, each with what tells it from another state: `NAMESPACE/NAME`, or a name. */
	readonly marks: ReadonlyMap<string, string>;
}

/** Where the enforced policies of a world are not kept. */
export function findGaps(reach: Reach): FoundGaps {
	return finish(walkGaps(reach));
}

/** The same in steps. */
export function* walkGaps(reach: Reach): Stepwise<FoundGaps> {
	const collector = gapCollector();
	for (const outlets of Map.groupBy(reach.outlets, ({ host }) => host).values()) {
		yield;
		collector.add(reach.namespaces, outlets);
	}
	return collector.gaps(reach.namespaces);
}

/** Where the enforced policies of a world are not kept on a day, in steps: without ever holding the reach of all hosts. */
export function* walkGapsOf(inventory: Inventory, today: string): Stepwise<FoundGaps> {
	const collector = gapCollector();
	return collector.gaps(yield* walkHosts(inventory, today, collector.add));
}

/** Gathers gaps host by host. */
interface GapCollector {
	/** Takes all outlets of one host. */
	readonly add: (namespaces: readonly string[], outlets: readonly Outlet[]) => void;
	readonly gaps: (namespaces: readonly string[]) => FoundGaps;
}

/**
 * A policy that only watches (mode `warn` or `audit`, an exemption) has no gap; what depends on the request or on a CUSTOM
 * provider is not refused.
 */
function gapCollector(): GapCollector {
	const entries = new Map<string, readonly EntryGap[]>();
	const refused = new Map<string, Set<string>>();
	const total = { waypoint: 0, direct: 0 };
	const all = new NamespaceCount();
	const unnamed = new NamespaceCount();
	let places: ReadonlyMap<string, number> | undefined;
	const addDestination = (size: number, outlets: readonly Outlet[]): void => {
		const [first] = outlets;
		const destination = `${first?.host ?? ""}:${first?.port ?? ""}`;
		const union = (setOf: (outlet: Outlet) => Bits): Bits => outlets.map(setOf).reduce(either, noBits(size));
		// Those of them who come through a waypoint.
		const governed = (setOf: (outlet: Outlet) => Bits): Bits =>
			union((outlet) => (outlet.waypoint === undefined ? noBits(size) : setOf(outlet)));
		all.add(
			destination,
			union(({ can, refuse }) => both(can, refuse)),
			governed(servedAgainst),
			total,
		);
		unnamed.add(
			destination,
			union((outlet) => either(outlet.unnamed, outlet.unnamedPast)),
			governed((outlet) => outlet.unnamed),
			total,
		);
	};
	return {
		add(namespaces, outlets) {
			places ??= new Map(namespaces.map((namespace, place) => [namespace, place]));
			for (const [key, answers] of Map.groupBy(outlets, keyOf)) {
				const [first] = answers;
				if (first !== undefined && answers.every(({ way }) => way === "refused")) {
					refused.set(key, (refused.get(key) ?? new Set()).add(first.host));
				}
				const gaps = [gapOf(answers, namespaces, places), unnamedGapOf(answers, namespaces)].filter(
					(gap) => gap !== undefined,
				);
				if (gaps.length > 0) {
					entries.set(key, [...(entries.get(key) ?? []), ...gaps]);
				}
			}
			for (const rivals of Map.groupBy(outlets, ({ port }) => port).values()) {
				addDestination(namespaces.length, rivals);
			}
		},
		gaps(namespaces) {
			const ofNamespace = namespaceGaps(namespaces, all, unnamed);
			return {
				total,
				marks: marksOf(entries, ofNamespace, refused),
				refusedHosts: (namespace, name) => refused.get(`${namespace}/${name}`),
				ofEntry: (namespace, name) => entries.get(`${namespace}/${name}`) ?? [],
				ofNamespace: (namespace) => ofNamespace.get(namespace),
			};
		},
	};
}

/** Whom an entry answers and nothing refuses, against an enforced policy. */
function servedAgainst({ served, can, refuse }: Outlet): Bits {
	return both(both(served, can), refuse);
}

/** Counts what each namespace reaches, and keeps the first few. */
class NamespaceCount {
	readonly #counts = new Map<number, { count: number; direct: number; destinations: string[] }>();

	/** One port of a host: who reaches it, and who of them by a waypoint. */
	add(destination: string, reaching: Bits, through: Bits, total: { waypoint: number; direct: number }): void {
		const governedCount = countOf(through);
		total.waypoint += governedCount;
		total.direct += countOf(reaching) - governedCount;
		for (const place of numbersOf(reaching)) {
			const known = this.#counts.get(place) ?? { count: 0, direct: 0, destinations: [] };
			this.#counts.set(place, known);
			known.count++;
			known.direct += hasBit(through, place) ? 0 : 1;
			if (known.destinations.length < mostNames) {
				known.destinations.push(destination);
			}
		}
	}

	byName(namespaces: readonly string[]): ReadonlyMap<string, NamespaceGap> {
		return new Map([...this.#counts].map(([place, gap]) => [namespaces[place] ?? "", gap]));
	}
}

function namespaceGaps(
	namespaces: readonly string[],
	all: NamespaceCount,
	unnamed: NamespaceCount,
): ReadonlyMap<string, NamespaceGaps> {
	const [ofAll, ofUnnamed] = [all.byName(namespaces), unnamed.byName(namespaces)];
	const found = new Map<string, NamespaceGaps>();
	for (const name of namespaces) {
		const gaps = { all: ofAll.get(name), unnamed: ofUnnamed.get(name) };
		if (gaps.all !== undefined || gaps.unnamed !== undefined) {
			found.set(name, gaps);
		}
	}
	return found;
}

/**
 * What one entry lets through to one host: those whom it answers, not those who leave past it, and not its own namespace,
 * whose policy the entry itself breaks: rules of the family `policy` say so.
 */
function gapOf(
	outlets: readonly Outlet[],
	namespaces: readonly string[],
	places: ReadonlyMap<string, number>,
): EntryGap | undefined {
	const own = noBits(namespaces.length);
	setBit(own, places.get(outlets[0]?.declaredBy.namespace ?? "") ?? 0);
	return openGap(outlets, namespaces, "all", (outlet) => except(servedAgainst(outlet), own));
}

/** The same of pods whose ServiceAccount is not named; of the entry's own namespace too, for no other rule speaks of it. */
function unnamedGapOf(outlets: readonly Outlet[], namespaces: readonly string[]): EntryGap | undefined {
	return openGap(outlets, namespaces, "unnamed", ({ unnamed }) => unnamed);
}

function openGap(
	outlets: readonly Outlet[],
	namespaces: readonly string[],
	whose: EntryGap["whose"],
	clientsOf: (outlet: Outlet) => Bits,
): EntryGap | undefined {
	const [first] = outlets;
	const open = outlets
		.map((outlet) => ({ port: outlet.port, clients: clientsOf(outlet) }))
		.filter(({ clients }) => !isEmpty(clients));
	if (first === undefined || open.length === 0) {
		return undefined;
	}
	const clients: Bits = open.map((each) => each.clients).reduce(either);
	return {
		host: first.host,
		ports: open.map(({ port }) => port),
		waypoint: first.waypoint,
		count: countOf(clients),
		namespaces: [...firstOf(numbersOf(clients))].map((place) => namespaces[place] ?? ""),
		whose,
	};
}

function* firstOf(numbers: Iterable<number>): Iterable<number> {
	let left = mostNames;
	for (const number of numbers) {
		if (left-- === 0) {
			return;
		}
		yield number;
	}
}

function keyOf(outlet: Outlet | undefined): string {
	return `${outlet?.declaredBy.namespace ?? ""}/${outlet?.declaredBy.name ?? ""}`;
}

function marksOf(
	entries: ReadonlyMap<string, readonly EntryGap[]>,
	namespaces: ReadonlyMap<string, NamespaceGaps>,
	refused: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlyMap<string, string> {
	const marks = new Map<string, string>();
	for (const [key, hosts] of refused) {
		marks.set(key, JSON.stringify([...hosts]));
	}
	for (const [key, gaps] of entries) {
		marks.set(key, `${marks.get(key) ?? ""}${JSON.stringify(gaps)}`);
	}
	for (const [name, gap] of namespaces) {
		marks.set(name, JSON.stringify(gap));
	}
	return marks;
}
