import type { AddressRange } from "./address-range.ts";
import { rangesOverlap } from "./address-range.ts";

/** Many ranges, of which it is quick to tell whether one meets another range. */
export interface RangeList {
	/** Whether a range has an address in common with one of these. */
	meets(range: SpannedRange): boolean;
	/** The first of these, in the order in which they were given, with which a range has an address in common. */
	firstMeeting(range: SpannedRange): AddressRange | undefined;
	/** From where to where these reach in a family. */
	extent(family: AddressRange["family"]): Extent;
}

/** All of a span for IPv4, the first 52 bits of it for IPv6, which are quick to compare. */
interface Extent {
	readonly start: number;
	readonly end: number;
}

/** Nothing reaches from behind every address to before it. */
const nowhere: Extent = { start: Number.POSITIVE_INFINITY, end: -1 };

/** A range with its first and last address as numbers, to be compared with many lists. */
export interface SpannedRange {
	readonly range: AddressRange;
	readonly four: Span<number> | undefined;
	readonly six: Span<bigint> | undefined;
}

/** Works out once what every list would have to. */
export function spanned(range: AddressRange): SpannedRange {
	return range.family === 4
		? { range, four: spanOfFour(range), six: undefined }
		: { range, four: undefined, six: spanOfSix(range) };
}

/** Sorts ranges once; after that, whether one meets another takes a binary search. */
export function listRanges(ranges: readonly AddressRange[]): RangeList {
	return ranges.length <= few ? new ShortList(ranges) : new SortedList(ranges);
}

const few = 4;

class ShortList implements RangeList {
	readonly #ranges: readonly AddressRange[];

	constructor(ranges: readonly AddressRange[]) {
		this.#ranges = ranges;
	}

	meets(range: SpannedRange): boolean {
		return this.firstMeeting(range) !== undefined;
	}

	firstMeeting({ range }: SpannedRange): AddressRange | undefined {
		return this.#ranges.find((each) => rangesOverlap(each, range));
	}

	extent(family: AddressRange["family"]): Extent {
		let extent = nowhere;
		for (const range of this.#ranges) {
			if (range.family === family) {
				const { start, end } = writtenAs(range);
				extent = { start: Math.min(extent.start, start), end: Math.max(extent.end, end) };
			}
		}
		return extent;
	}
}

class SortedList implements RangeList {
	readonly #ranges: readonly AddressRange[];
	#written: readonly Written[] | undefined;
	readonly #four: Spans<number>;
	readonly #six: Spans<bigint>;

	constructor(ranges: readonly AddressRange[]) {
		this.#ranges = ranges;
		this.#four = mergeSpans(ranges.filter(({ family }) => family === 4).map(spanOfFour));
		this.#six = mergeSpans(ranges.filter(({ family }) => family === 6).map(spanOfSix));
	}

	meets({ four, six }: SpannedRange): boolean {
		return (
			(four !== undefined && meetsSpan(this.#four, four)) || (six !== undefined && meetsSpan(this.#six, six))
		);
	}

	firstMeeting(asked: SpannedRange): AddressRange | undefined {
		const { range } = asked;
		if (!this.meets(asked)) {
			return undefined;
		}
		this.#written ??= this.#ranges.map(writtenAs);
		const { family, start, end } = writtenAs(range);
		return this.#written.find(
			(each) =>
				each.family === family &&
				each.start <= end &&
				each.end >= start &&
				(family === 4 || rangesOverlap(each.range, range)),
		)?.range;
	}

	extent(family: AddressRange["family"]): Extent {
		const { starts, ends } = family === 4 ? this.#four : this.#six;
		return extentBetween(starts[0], ends.at(-1));
	}
}

/** A range as it was given, with its span. */
interface Written extends Extent {
	readonly range: AddressRange;
	readonly family: AddressRange["family"];
}

function writtenAs(range: AddressRange): Written {
	const { family } = range;
	const [start, end] = family === 4 ? spanOfFour(range) : spanOfSix(range);
	return { range, family, ...extentBetween(start, end) };
}

function extentBetween(start: number | bigint | undefined, end: number | bigint | undefined): Extent {
	return start === undefined || end === undefined
		? nowhere
		: { start: comparable(start), end: comparable(end) };
}

function comparable(address: number | bigint): number {
	return typeof address === "number" ? address : Number(address >> 76n);
}

/** The first and the last address of a range as numbers. */
type Span<N> = readonly [start: N, end: N];

/** Spans that have no address in common, the lowest first. */
interface Spans<N> {
	readonly starts: readonly N[];
	readonly ends: readonly N[];
}

function spanOfFour({ bits, prefix }: AddressRange): Span<number> {
	const size = 2 ** (32 - prefix);
	const start = Math.floor(Number(bits) / size) * size;
	return [start, start + size - 1];
}

function spanOfSix({ bits, prefix }: AddressRange): Span<bigint> {
	const free = BigInt(128 - prefix);
	const start = (bits >> free) << free;
	return [start, start + (1n << free) - 1n];
}

/** Two blocks are apart, or one lies in the other: of those that begin at one address the widest comes first. */
function mergeSpans<N extends number | bigint>(spans: readonly Span<N>[]): Spans<N> {
	const sorted = spans.toSorted((one, other) =>
		one[0] === other[0] ? (one[1] > other[1] ? -1 : 1) : one[0] < other[0] ? -1 : 1,
	);
	const starts: N[] = [];
	const ends: N[] = [];
	for (const [start, end] of sorted) {
		const last = ends.at(-1);
		if (last === undefined || start > last) {
			starts.push(start);
			ends.push(end);
		}
	}
	return { starts, ends };
}

function meetsSpan<N extends number | bigint>({ starts, ends }: Spans<N>, [start, end]: Span<N>): boolean {
	// Of the spans that begin before the end, the last reaches furthest.
	const last = ends[countWhile(starts, (each) => each <= end) - 1];
	return last !== undefined && last >= start;
}

/** Where lists of ranges begin and end, by which it is quick to pass over those that lie elsewhere. */
export interface Extents {
	/** Where the lists that a range may meet stand among those that were given, in their order. */
	near(range: SpannedRange): Iterable<number>;
}

/** Reads once where each of many lists begins and ends. */
export function extentsOf(lists: readonly RangeList[]): Extents {
	return new ListExtents(lists);
}

class ListExtents implements Extents {
	readonly #four: readonly Extent[];
	readonly #six: readonly Extent[];

	constructor(lists: readonly RangeList[]) {
		this.#four = lists.map((list) => list.extent(4));
		this.#six = lists.map((list) => list.extent(6));
	}

	*near({ range }: SpannedRange): Iterable<number> {
		const { start, end } = writtenAs(range);
		const extents = range.family === 4 ? this.#four : this.#six;
		for (let place = 0; place < extents.length; place++) {
			const extent = extents[place] as Extent;
			if (extent.start <= end && extent.end >= start) {
				yield place;
			}
		}
	}
}

/** Many single addresses, of which it is quick to tell which lie in a range. */
export interface AddressList {
	/** Where those that lie in a range stand in the list that was given, in its order. */
	within(range: SpannedRange): Iterable<number>;
}

/** Sorts single addresses once; undefined stands where there is none. */
export function listAddresses(addresses: readonly (AddressRange | undefined)[]): AddressList {
	return new SortedAddresses(addresses);
}

interface Place<N> {
	readonly value: N;
	readonly place: number;
}

/** So many are put into their order; of more, which are quick to come by, the whole list is walked. */
const mostSorted = 256;

class SortedAddresses implements AddressList {
	readonly #addresses: readonly (AddressRange | undefined)[];
	readonly #four: readonly Place<number>[];
	readonly #six: readonly Place<bigint>[];

	constructor(addresses: readonly (AddressRange | undefined)[]) {
		this.#addresses = addresses;
		const four: Place<number>[] = [];
		const six: Place<bigint>[] = [];
		for (const [place, address] of addresses.entries()) {
			if (address?.family === 4) {
				four.push({ value: Number(address.bits), place });
			} else if (address !== undefined) {
				six.push({ value: address.bits, place });
			}
		}
		this.#four = sortedByValue(four);
		this.#six = sortedByValue(six);
	}

	within({ range, four, six }: SpannedRange): Iterable<number> {
		const found =
			four === undefined ? (six === undefined ? none : between(this.#six, six)) : between(this.#four, four);
		return found.length <= mostSorted ? found.toSorted((one, other) => one - other) : this.#walk(range);
	}

	*#walk(range: AddressRange): Iterable<number> {
		for (const [place, address] of this.#addresses.entries()) {
			if (address !== undefined && rangesOverlap(range, address)) {
				yield place;
			}
		}
	}
}

function sortedByValue<N extends number | bigint>(places: readonly Place<N>[]): readonly Place<N>[] {
	return places.toSorted((one, other) => (one.value === other.value ? 0 : one.value < other.value ? -1 : 1));
}

const none: readonly number[] = [];

/** The places of those from the first to the last address of a span; most spans have none. */
function between<N extends number | bigint>(
	places: readonly Place<N>[],
	[start, end]: Span<N>,
): readonly number[] {
	const [lowest, highest] = [places[0], places[places.length - 1]];
	// Most lists lie elsewhere altogether.
	if (lowest === undefined || highest === undefined || lowest.value > end || highest.value < start) {
		return none;
	}
	const first = countWhile(places, ({ value }) => value < start);
	const next = places[first];
	return next === undefined || next.value > end
		? none
		: places
				.slice(
					first,
					countWhile(places, ({ value }) => value <= end),
				)
				.map(({ place }) => place);
}

/** How many items at the beginning of a sorted list are what is asked for; none behind them is. */
function countWhile<T>(items: readonly T[], holds: (item: T) => boolean): number {
	let low = 0;
	let high = items.length;
	while (low < high) {
		const middle = (low + high) >>> 1;
		if (holds(items[middle] as T)) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}
