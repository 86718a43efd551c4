import type { AddressRange } from "../../core/address-range.ts";
import { bucketsAround, isSingle, wideBucket } from "../../core/address-range.ts";
import type { Inventory } from "../../core/inventory.ts";
import { isAny } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { RangeList, SpannedRange } from "../../core/range-list.ts";
import { listRanges, spanned } from "../../core/range-list.ts";
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
	under: Under = entriesUnder,
): Iterable<Overlap> {
	const asked = spanned(range);
	const keys = bucketsAround(range).filter((key) => mayMeet(key, asked, inventory));
	return keys.length === 0 ? none : overlapsBelow(keys, asked, self, inventory, under);
}

/** Finds entries by a key of the index of addresses. */
export type Under = (key: string, inventory: Inventory) => Iterable<ServiceEntry>;

/** Every entry that stands under a key of the index of addresses. */
export function entriesUnder(key: string, inventory: Inventory): Iterable<ServiceEntry> {
	return inventory.lookup("serviceEntryByAddressBucket", key);
}

const none: readonly Overlap[] = [];

/** Whether anything stands under a key that a range may meet: most addresses are listed by one entry. */
function mayMeet(key: string, asked: SpannedRange, inventory: Inventory): boolean {
	return (
		isAny(inventory.lookup("serviceEntryByAddressBucket", key)) &&
		(key !== wideBucket || inventory.know(allWide, key)?.meets(asked) !== false)
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
		for (const entry of under(key, inventory)) {
			if (listedBy(entry).meets(asked)) {
				yield entry;
			}
		}
	}
}

const fewEntries = 8;

/**
 * All addresses of the entries with a wide block, of which every address of every entry must be told that it meets none;
 * undefined where asking each is as quick.
 */
function allWide(key: string, inventory: Inventory): RangeList | undefined {
	const entries = [...inventory.lookup("serviceEntryByAddressBucket", key)];
	return entries.length > fewEntries ? listRanges(entries.flatMap(rangesOf)) : undefined;
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
