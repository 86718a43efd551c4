import type { EntryGap, Gaps, NamespaceGap } from "../core/gaps.ts";
import type { Stepwise } from "../core/stepwise.ts";
import { finish } from "../core/stepwise.ts";
import type { Bits } from "./bits.ts";
import { both, countOf, either, except, hasBit, isEmpty, noBits, numbersOf, setBit } from "./bits.ts";
import type { Outlet, Reach } from "./reach.ts";

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
	/** The entries and namespaces that have one, each with what tells it from another state: `NAMESPACE/NAME`, or a name. */
	readonly marks: ReadonlyMap<string, string>;
}

/** Where the enforced policies of a world are not kept. */
export function findGaps(reach: Reach): FoundGaps {
	return finish(walkGaps(reach));
}

/**
 * The same in steps. A policy that only watches (mode `warn` or `audit`, an exemption) has no gap; what depends on the
 * request or on a CUSTOM provider is not refused.
 */
export function* walkGaps(reach: Reach): Stepwise<FoundGaps> {
	const entries = new Map<string, EntryGap[]>();
	const namespaces = new Map<number, { count: number; direct: number; destinations: string[] }>();
	const total = { waypoint: 0, direct: 0 };
	const places = new Map(reach.namespaces.map((namespace, place) => [namespace, place]));
	for (const answers of byEntryHost(reach.outlets)) {
		yield;
		const gap = gapOf(answers, reach, places);
		if (gap !== undefined) {
			const key = keyOf(answers[0]);
			entries.set(key, [...(entries.get(key) ?? []), gap]);
		}
	}
	for (const [destination, outlets] of byDestination(reach.outlets)) {
		yield;
		const size = reach.namespaces.length;
		const against = outlets.map(({ can, refuse }) => both(can, refuse)).reduce(either, noBits(size));
		const governed = outlets
			.map(({ served, can, refuse, waypoint }) =>
				waypoint === undefined ? noBits(size) : both(both(served, can), refuse),
			)
			.reduce(either, noBits(size));
		const through = countOf(governed);
		total.waypoint += through;
		total.direct += countOf(against) - through;
		for (const place of numbersOf(against)) {
			const known = namespaces.get(place) ?? { count: 0, direct: 0, destinations: [] };
			namespaces.set(place, known);
			known.count++;
			known.direct += hasBit(governed, place) ? 0 : 1;
			if (known.destinations.length < mostNames) {
				known.destinations.push(destination);
			}
		}
	}
	const ofNamespace = new Map<string, NamespaceGap>(
		[...namespaces].map(([place, gap]) => [reach.namespaces[place] ?? "", gap]),
	);
	return {
		total,
		marks: marksOf(entries, ofNamespace),
		ofEntry: (namespace, name) => entries.get(`${namespace}/${name}`) ?? [],
		ofNamespace: (namespace) => ofNamespace.get(namespace),
	};
}

/**
 * What one entry lets through to one host: those whom it answers, not those who leave past it, and not its own namespace,
 * whose policy the entry itself breaks: rules of the family `policy` say so.
 */
function gapOf(
	outlets: readonly Outlet[],
	{ namespaces }: Reach,
	places: ReadonlyMap<string, number>,
): EntryGap | undefined {
	const [first] = outlets;
	const own = noBits(namespaces.length);
	setBit(own, places.get(first?.declaredBy.namespace ?? "") ?? 0);
	const open = outlets
		.map(({ port, served, can, refuse }) => ({
			port,
			clients: except(both(both(served, can), refuse), own),
		}))
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

function byEntryHost(outlets: readonly Outlet[]): Iterable<readonly Outlet[]> {
	return Map.groupBy(outlets, (outlet) => `${keyOf(outlet)} ${outlet.host}`).values();
}

function byDestination(outlets: readonly Outlet[]): Iterable<readonly [string, readonly Outlet[]]> {
	return Map.groupBy(outlets, ({ host, port }) => `${host}:${port}`);
}

function marksOf(
	entries: ReadonlyMap<string, readonly EntryGap[]>,
	namespaces: ReadonlyMap<string, NamespaceGap>,
): ReadonlyMap<string, string> {
	const marks = new Map<string, string>();
	for (const [key, gaps] of entries) {
		marks.set(key, JSON.stringify(gaps));
	}
	for (const [name, gap] of namespaces) {
		marks.set(name, JSON.stringify(gap));
	}
	return marks;
}
