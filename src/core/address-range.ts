/** An address or a CIDR: `bits` is the address as a number, of which the first `prefix` bits count. */
export interface AddressRange {
	readonly text: string;
	readonly family: 4 | 6;
	readonly bits: bigint;
	readonly prefix: number;
}

const mappedPrefix = 0xffffn << 32n;

/**
 * Parses an IP address or a CIDR as Go's `net/netip` does (the parser that istiod uses): no leading zeros, no octal,
 * a zone only on an address. IPv4-mapped IPv6 is read as the IPv4 address that it reaches. Undefined when neither.
 */
export function parseAddressRange(text: string): AddressRange | undefined {
	const slash = text.indexOf("/");
	const zoned = slash < 0 ? text : text.slice(0, slash);
	const percent = zoned.indexOf("%");
	if (percent >= 0 && (slash >= 0 || percent === zoned.length - 1 || !zoned.includes(":"))) {
		return undefined;
	}
	const address = percent < 0 ? zoned : zoned.slice(0, percent);
	const four = parseIPv4(address);
	const six = four === undefined ? parseIPv6(address) : undefined;
	const width = four === undefined ? 128 : 32;
	const bits = four ?? six;
	if (bits === undefined) {
		return undefined;
	}
	const prefix = slash < 0 ? width : parsePrefix(text.slice(slash + 1), width);
	if (prefix === undefined) {
		return undefined;
	}
	if (width === 128 && prefix >= 96 && bits >> 32n === mappedPrefix >> 32n) {
		return { text, family: 4, bits: bits & 0xffffffffn, prefix: prefix - 96 };
	}
	return { text, family: width === 32 ? 4 : 6, bits, prefix };
}

/** Whether a text is one IP address, as `parseAddressRange` reads it: no CIDR. */
export function isAddressText(text: string): boolean {
	return readIPv4(text) !== undefined || (!text.includes("/") && parseAddressRange(text) !== undefined);
}

const zero = "0".charCodeAt(0);
const dot = ".".charCodeAt(0) - zero;

function parsePrefix(text: string, width: number): number | undefined {
	if (!/^(?:0|[1-9][0-9]{0,2})$/.test(text)) {
		return undefined;
	}
	const prefix = Number(text);
	return prefix <= width ? prefix : undefined;
}

function parseIPv4(text: string): bigint | undefined {
	const bits = readIPv4(text);
	return bits === undefined ? undefined : BigInt(bits);
}

function readIPv4(text: string): number | undefined {
	// The longest is 255.255.255.255. Read digit by digit: every judgement reads the address of a waypoint.
	if (text.length < 7 || text.length > 15) {
		return undefined;
	}
	let bits = 0;
	let octet = -1;
	let dots = 0;
	for (let index = 0; index < text.length; index++) {
		const digit = text.charCodeAt(index) - zero;
		if (digit >= 0 && digit <= 9 && octet !== 0) {
			octet = octet < 0 ? digit : octet * 10 + digit;
		} else if (digit === dot && octet >= 0) {
			bits = bits * 256 + octet;
			octet = -1;
			dots++;
		} else {
			return undefined;
		}
		if (octet > 255) {
			return undefined;
		}
	}
	return dots === 3 && octet >= 0 ? bits * 256 + octet : undefined;
}

function parseIPv6(text: string): bigint | undefined {
	const halves = text.split("::");
	if (halves.length > 2 || !text.includes(":")) {
		return undefined;
	}
	const head = groups(halves[0] ?? "", halves.length === 1);
	const tail = halves.length === 2 ? groups(halves[1] ?? "", true) : [];
	if (head === undefined || tail === undefined) {
		return undefined;
	}
	const missing = 8 - head.length - tail.length;
	if (halves.length === 1 ? missing !== 0 : missing < 1) {
		return undefined;
	}
	let bits = 0n;
	for (const group of [...head, ...new Array<number>(missing).fill(0), ...tail]) {
		bits = (bits << 16n) | BigInt(group);
	}
	return bits;
}

function groups(text: string, mayEndInIPv4: boolean): number[] | undefined {
	if (text === "") {
		return [];
	}
	const result: number[] = [];
	const parts = text.split(":");
	for (const [index, part] of parts.entries()) {
		if (index === parts.length - 1 && mayEndInIPv4 && part.includes(".")) {
			const four = parseIPv4(part);
			if (four === undefined) {
				return undefined;
			}
			result.push(Number(four >> 16n), Number(four & 0xffffn));
		} else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
			result.push(Number.parseInt(part, 16));
		} else {
			return undefined;
		}
	}
	return result;
}

/**
 * A key that ranges with a common address share, as long as both are at most as wide as an IPv4 /16 or an IPv6 /48;
 * undefined for a wider range, which may meet any other.
 */
export function addressBucket(range: AddressRange): string | undefined {
	if (range.family === 4) {
		return range.prefix < 16 ? undefined : `4/${Number(range.bits) >>> 16}`;
	}
	return range.prefix < 48 ? undefined : `6/${range.bits >> 80n}`;
}

/**
 * The same for narrow ranges, as single addresses are: at most as wide as an IPv4 /24 or an IPv6 /64; undefined for a
 * wider one. Few neighbours share it, where a `addressBucket` may hold every entry of a cluster.
 */
export function narrowAddressBucket(range: AddressRange): string | undefined {
	if (range.family === 4) {
		return range.prefix < 24 ? undefined : `4/narrow/${Number(range.bits) >>> 8}`;
	}
	return range.prefix < 64 ? undefined : `6/narrow/${range.bits >> 64n}`;
}

/** The key of every range. */
export const allRanges = "all";

/** The key of ranges that are too wide for a bucket. */
export const wideBucket = "wide";

/** The prefixes of ranges that are too wide for a bucket, the narrowest first. */
export const widePrefixes: Readonly<Record<AddressRange["family"], readonly number[]>> = {
	4: Array.from({ length: 16 }, (_, index) => 15 - index),
	6: Array.from({ length: 48 }, (_, index) => 47 - index),
};

/** The key of all ranges of a family that are as wide, too wide for a bucket. */
export function widthKey(family: AddressRange["family"], prefix: number): string {
	return `${family}/wide/${prefix}`;
}

/** The keys of the blocks with these prefixes, too wide for a bucket, in which a range lies that is no wider. */
export function blocksAround({ family, bits }: AddressRange, prefixes: readonly number[]): readonly string[] {
	// Of what is too wide for a bucket no more than the first 48 bits count, which are an exact number.
	const [first, width] = family === 4 ? [Number(bits), 32] : [Number(bits >> 80n), 48];
	return prefixes.map((prefix) => `${widthKey(family, prefix)}/${Math.floor(first / 2 ** (width - prefix))}`);
}

/** The keys under which those that list a range may be found: its own buckets, and `all`; a single address has one of its own. */
export function bucketsOfRange(range: AddressRange): readonly string[] {
	const bucket = addressBucket(range);
	if (bucket === undefined) {
		const { family, prefix } = range;
		return [wideBucket, widthKey(family, prefix), ...blocksAround(range, [prefix]), allRanges];
	}
	const narrow = narrowAddressBucket(range);
	return narrow === undefined
		? [bucket, `${bucket}/blocks`, allRanges]
		: [bucket, narrow, singleAddressKey(range) ?? `${narrow}/blocks`, allRanges];
}

/** The key of one address; undefined for a block. */
function singleAddressKey(range: AddressRange): string | undefined {
	const { family, bits } = range;
	return isSingle(range) ? `${family}/one/${family === 4 ? Number(bits) : bits}` : undefined;
}

/** The key under which fewest stand besides the single addresses that lie in a range. */
export function bucketOfAddressesIn(range: AddressRange): string {
	return singleAddressKey(range) ?? narrowAddressBucket(range) ?? addressBucket(range) ?? allRanges;
}

/** The keys under which everything stands that may have an address in common with a range. */
export function bucketsAround(range: AddressRange): readonly string[] {
	const bucket = addressBucket(range);
	if (bucket === undefined) {
		return [allRanges];
	}
	const narrow = narrowAddressBucket(range);
	if (narrow === undefined) {
		return [bucket, wideBucket];
	}
	const single = singleAddressKey(range);
	// A /24 may hold 256 entries, of which a single address meets none but its own.
	const near = single === undefined ? [narrow] : [single, `${narrow}/blocks`];
	return [...near, `${bucket}/blocks`, wideBucket];
}

const nat64Prefix = 0x64ff9bn << 96n;

/** The IPv4 addresses that NAT64 reaches by a range of its well-known prefix, 64:ff9b::/96 (RFC 6052). */
export function embeddedAddress(range: AddressRange): AddressRange | undefined {
	return range.family === 6 && range.prefix >= 96 && range.bits >> 32n === nat64Prefix >> 32n
		? { text: range.text, family: 4, bits: range.bits & 0xffffffffn, prefix: range.prefix - 96 }
		: undefined;
}

/** Whether two ranges have an address in common. */
export function rangesOverlap(one: AddressRange, other: AddressRange): boolean {
	return one.family === other.family && sameStart(one, other, Math.min(one.prefix, other.prefix));
}

/** Whether every address of `inner` lies in `outer`. */
export function rangeContains(outer: AddressRange, inner: AddressRange): boolean {
	return (
		outer.family === inner.family && outer.prefix <= inner.prefix && sameStart(outer, inner, outer.prefix)
	);
}

/** Whether a range is one address. */
export function isSingle({ family, prefix }: AddressRange): boolean {
	return prefix === (family === 4 ? 32 : 128);
}

function sameStart(a: AddressRange, b: AddressRange, prefix: number): boolean {
	if (a.family === 4) {
		// 32 bits are the same numbers without the cost of large ones; a shift by 32 would be none.
		return prefix === 0 || (Number(a.bits) ^ Number(b.bits)) >>> (32 - prefix) === 0;
	}
	const shift = BigInt(128 - prefix);
	return a.bits >> shift === b.bits >> shift;
}

/** A range as a CIDR that the API server takes: without bits behind the prefix, IPv6 in its short form (RFC 5952). */
export function cidrText({ family, bits, prefix }: AddressRange): string {
	const width = family === 4 ? 32 : 128;
	const network = (bits >> BigInt(width - prefix)) << BigInt(width - prefix);
	const parts = Array.from({ length: family === 4 ? 4 : 8 }, (_, place) => {
		const size = family === 4 ? 8 : 16;
		return Number((network >> BigInt(width - size * (place + 1))) & ((1n << BigInt(size)) - 1n));
	});
	return `${family === 4 ? parts.join(".") : shortGroups(parts)}/${prefix}`;
}

/** The longest run of at least two groups of zeros, the first of equal ones, becomes `::`. */
function shortGroups(groups: readonly number[]): string {
	let best = { start: 0, length: 1 };
	for (let start = 0; start < groups.length; start++) {
		let length = 0;
		while (groups[start + length] === 0) {
			length++;
		}
		if (length > best.length) {
			best = { start, length };
		}
	}
	const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
	return best.length < 2
		? text(groups)
		: `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
}
