import type { AddressRange } from "../../core/address-range.ts";
import {
	allRanges,
	blocksAround,
	bucketsAround,
	isSingle,
	wideBucket,
	widePrefixes,
	widthKey,
} from "../../core/address-range.ts";
import type { Inventory, WorldFact } from "../../core/inventory.ts";
import { isAny } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Extents, RangeList, SpannedRange } from "../../core/range-list.ts";
import { extentsOf, listRanges, spanned } from "../../core/range-list.ts";
import type { ObjectName } from "./capture.ts";
import { rangesOfEntry } from "./capture.ts";

/** Another ServiceEntry and an address of its own that meets a given one. */
export interface Overlap {
	readonly entry: ServiceEntry;
	readonly objectName: { readonly namespace: string; readonly name: string };
	readonly range: AddressRange;
}

/** More entries than this on one address are not looked at: enough to find one that matters, few enough to wait for. */
const mostOverlaps = 256;

/**
 * The other entries that list an address in a range, each with the first such address of its own.
 * @param under finds those below a key of the index that matter to the asker; all of them where it is left out
 */
export function overlapsOf(
	range: AddressRange,
	self: ObjectName,
	inventory: Inventory,
	under: Under = allEntries,
): Iterable<Overlap> {
	const keys = keysMeeting(range, inventory);
	return keys.length === 0 ? none : overlapsBelow(keys, spanned(range), self, inventory, under);
}

/** Finds entries by a key of the index of addresses. */
export interface Under {
	readonly entries: (key: string, inventory: Inventory) => Iterable<ServiceEntry>;
	/** The same entries with where their addresses begin and end, for keys under which thousands stand. */
	readonly spread: WorldFact<string, Spread>;
}

interface Spread {
	readonly entries: readonly ServiceEntry[];
	readonly extents: Extents;
}

/** Finds those entries that a function gives for a key of the index of addresses. */
export function underKeys(entries: Under["entries"]): Under {
	return { entries, spread: (key, inventory) => spreadOf([...entries(key, inventory)]) };
}

function spreadOf(entries: readonly ServiceEntry[]): Spread {
	return { entries, extents: extentsOf(entries.map(listedBy)) };
}

/** Every entry that stands under a key of the index of addresses. */
export function entriesUnder(key: string, inventory: Inventory): Iterable<ServiceEntry> {
	return inventory.lookup("serviceEntryByAddressBucket", key);
}

const allEntries = underKeys(entriesUnder);

const none: readonly Overlap[] = [];

/** The keys under which something stands that a range may meet: most addresses are listed by one entry. */
function keysMeeting(range: AddressRange, inventory: Inventory): readonly string[] {
	const isFound = (key: string): boolean => isAny(inventory.lookup("serviceEntryByAddressBucket", key));
	const keys = bucketsAround(range).filter(isFound);
	return keys.at(-1) === wideBucket
		? [
				...keys.slice(0, -1),
				...blocksAround(range, inventory.know(widePrefixesOf[range.family], wideBucket)).filter(isFound),
			]
		: keys;
}

/** The prefixes of the wide blocks that anybody lists, which every address of an entry is told apart from. */
const widePrefixesOf: Readonly<Record<AddressRange["family"], WorldFact<string, readonly number[]>>> = {
	4: (_, inventory) => listedPrefixes(4, inventory),
	6: (_, inventory) => listedPrefixes(6, inventory),
};

function listedPrefixes(family: AddressRange["family"], inventory: Inventory): readonly number[] {
	return widePrefixes[family].filter((prefix) =>
		isAny(inventory.lookup("serviceEntryByAddressBucket", widthKey(family, prefix))),
	);
}

function* overlapsBelow(
	keys: readonly string[],
	asked: SpannedRange,
	self: ObjectName,
	inventory: Inventory,
	under: Under,
): Iterable<Overlap> {
	let found = 0;
	for (const entry of entriesMeeting(keys, asked, inventory, under)) {
		const objectName = { namespace: entry.metadata?.namespace ?? "", name: entry.metadata?.name ?? "" };
		if (objectName.namespace === self.namespace && objectName.name === self.name) {
			continue;
		}
		const met = listedBy(entry).firstMeeting(asked);
		if (met !== undefined) {
			yield { entry, objectName, range: met };
		}
		if (++found === mostOverlaps) {
			return;
		}
	}
}

/** The entries that list an address in a range: those of the narrowest bucket first. */
function* entriesMeeting(
	keys: readonly string[],
	asked: SpannedRange,
	inventory: Inventory,
	under: Under,
): Iterable<ServiceEntry> {
	for (const key of keys) {
		for (const entry of key === allRanges
			? near(key, asked, inventory, under)
			: under.entries(key, inventory)) {
			if (listedBy(entry).meets(asked)) {
				yield entry;
			}
		}
	}
}

/** Of all entries, which an object may ask for hundreds of times, those that do not lie elsewhere altogether. */
function* near(key: string, asked: SpannedRange, inventory: Inventory, under: Under): Iterable<ServiceEntry> {
	const { entries, extents } = inventory.know(under.spread, key);
	for (const place of extents.near(asked)) {
		yield entries[place] as ServiceEntry;
	}
}

function rangesOf(entry: ServiceEntry): readonly AddressRange[] {
	return rangesOfEntry(entry).filter((each) => each !== undefined);
}

// An entry of the world is replaced and never changed.
const known = new WeakMap<ServiceEntry, RangeList>();

function listedBy(entry: ServiceEntry): RangeList {
	let listed = known.get(entry);
	if (listed === undefined) {
		listed = listRanges(rangesOf(entry));
		known.set(entry, listed);
	}
	return listed;
}

/**
 * Whether clients of some namespace are given `taker` for an address of `holder`'s, where both overlap: a single
 * address goes before every block, then the client's own namespace, then the narrower block (ztunnel src/state).
 */
export function takesFrom(
	taker: { readonly range: AddressRange; readonly namespace: string },
	holder: { readonly range: AddressRange; readonly namespace: string },
): boolean {
	if (isSingle(holder.range) !== isSingle(taker.range)) {
		return isSingle(taker.range);
	}
	return taker.namespace !== holder.namespace || taker.range.prefix >= holder.range.prefix;
}
