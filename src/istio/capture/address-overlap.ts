import type { AddressRange } from "../../core/address-range.ts";
import { bucketsAround, isSingle, rangesOverlap } from "../../core/address-range.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import { specOf } from "../entry/entry.ts";
import type { ObjectName } from "./capture.ts";
import { readAsIstiod } from "./capture.ts";

/** Another ServiceEntry and an address of its own that meets a given one. */
export interface Overlap {
	readonly entry: ServiceEntry;
	readonly objectName: { readonly namespace: string; readonly name: string };
	readonly range: AddressRange;
}

/** More entries than this on one address are not looked at: enough to find one that matters, few enough to wait for. */
const mostOverlaps = 256;

/** The other entries that list an address in a range, each with the first such address of its own. */
export function overlapsOf(range: AddressRange, self: ObjectName, inventory: Inventory): readonly Overlap[] {
	const overlaps: Overlap[] = [];
	const span = { range, start: startOf(range), end: endOf(range) };
	for (const key of bucketsAround(range)) {
		for (const entry of inventory.lookup("serviceEntryByAddressBucket", key)) {
			const objectName = { namespace: entry.metadata?.namespace ?? "", name: entry.metadata?.name ?? "" };
			const met = firstMet(entry, span);
			if (met !== undefined && (objectName.namespace !== self.namespace || objectName.name !== self.name)) {
				overlaps.push({ entry, objectName, range: met });
			}
			if (overlaps.length === mostOverlaps) {
				return overlaps;
			}
		}
	}
	return overlaps;
}

/** The addresses of an entry; those of IPv4 as numbers as well, from `starts` to `ends`, which are quick to compare. */
interface Listed {
	readonly ranges: readonly AddressRange[];
	readonly starts: readonly number[];
	readonly ends: readonly number[];
}

// An entry of the world is replaced and never changed, and every address of every other entry asks for its ranges.
const known = new WeakMap<ServiceEntry, Listed>();

function listedBy(entry: ServiceEntry): Listed {
	let listed = known.get(entry);
	if (listed === undefined) {
		const ranges = specOf(entry).addresses.flatMap((address) => readAsIstiod(address) ?? []);
		listed = { ranges, starts: ranges.map(startOf), ends: ranges.map(endOf) };
		known.set(entry, listed);
	}
	return listed;
}

/** The first address of a range of IPv4; no number for one of IPv6. */
function startOf(range: AddressRange): number {
	const size = 2 ** (32 - range.prefix);
	return range.family === 4 ? Math.floor(Number(range.bits) / size) * size : Number.NaN;
}

function endOf(range: AddressRange): number {
	return startOf(range) + 2 ** (32 - range.prefix) - 1;
}

/** The first address that an entry lists in a range. */
function firstMet(
	entry: ServiceEntry,
	{ range, start, end }: { readonly range: AddressRange; readonly start: number; readonly end: number },
): AddressRange | undefined {
	const { ranges, starts, ends } = listedBy(entry);
	if (range.family !== 4) {
		return ranges.find((each) => rangesOverlap(each, range));
	}
	for (let index = 0; index < ranges.length; index++) {
		// No comparison with what is no number holds.
		if ((starts[index] ?? Number.NaN) <= end && (ends[index] ?? Number.NaN) >= start) {
			return ranges[index];
		}
	}
	return undefined;
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
