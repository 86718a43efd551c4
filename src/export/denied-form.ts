import type { AddressRange } from "../core/address-range.ts";

/**
 * The form of what may lie in one of these ranges, as a regular expression for addresses that stand between spaces of
 * their own. It may find more than lies there, and leaves nothing out: a block, and whatever may be an IPv4 address
 * written as IPv6, are always found.
 */
export function deniedForm(ranges: readonly AddressRange[]): string {
	const starts = ranges.map((range) => (range.family === 4 ? startOfFour(range) : startOfSix(range)));
	const all = new Set(["[0-9a-f:.]+/", "0{0,4}:", "0{0,2}64:ff9b:", ...starts]);
	return `(?i) (?:${[...all].join("|")})[^ ]* `;
}

/** The octets that all addresses of the range share, or every first octet that one may have. */
function startOfFour({ bits, prefix }: AddressRange): string {
	const octet = (index: number): number => Number((bits >> BigInt(24 - 8 * index)) & 0xffn);
	const shared = Math.floor(prefix / 8);
	if (shared > 0) {
		const octets = Array.from({ length: shared }, (_, index) => octet(index)).join("[.]");
		return shared === 4 ? octets : `${octets}[.]`;
	}
	const first = Array.from({ length: 2 ** (8 - prefix) }, (_, index) => octet(0) + index);
	return prefix < 4 ? "[0-9]" : `(?:${first.join("|")})[.]`;
}

/** The first one or two groups that all addresses of the range share; what begins with zeros may be written otherwise. */
function startOfSix({ bits, prefix }: AddressRange): string {
	const group = (index: number): string => ((bits >> BigInt(112 - 16 * index)) & 0xffffn).toString(16);
	const [first, second] = [group(0), group(1)];
	if (prefix >= 16) {
		const written = (text: string): string => `${text.length < 4 ? `0{0,${4 - text.length}}` : ""}${text}:`;
		return first === "0"
			? "0{0,4}:"
			: `${written(first)}${prefix >= 32 && second !== "0" ? written(second) : ""}`;
	}
	if (first.length < 4) {
		return "[0-9a-f]*:";
	}
	return `${[...first].map((digit, index) => digitForm(digit, prefix - 4 * index)).join("")}:`;
}

/** A hexadecimal digit of which so many bits are given. */
function digitForm(digit: string, bits: number): string {
	if (bits >= 4) {
		return digit;
	}
	if (bits <= 0) {
		return "[0-9a-f]";
	}
	const start = Number.parseInt(digit, 16);
	return `[${Array.from({ length: 2 ** (4 - bits) }, (_, index) => (start + index).toString(16)).join("")}]`;
}
