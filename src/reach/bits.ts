/** A set of small numbers, such as the positions of namespaces in a list: one bit each. */
export type Bits = Uint32Array;

/** The empty set of numbers below `size`. */
export function noBits(size: number): Bits {
	return new Uint32Array((size + 31) >>> 5);
}

/** The set of all numbers below `size`. */
export function allBits(size: number): Bits {
	const bits = noBits(size).fill(0xffffffff);
	const rest = size & 31;
	const last = bits.length - 1;
	if (rest !== 0 && last >= 0) {
		bits[last] = (1 << rest) - 1;
	}
	return bits;
}

/** Whether a number is in a set. */
export function hasBit(bits: Bits, index: number): boolean {
	return (((bits[index >>> 5] ?? 0) >>> (index & 31)) & 1) === 1;
}

/** Puts a number into a set that nobody else holds yet. */
export function setBit(bits: Bits, index: number): void {
	bits[index >>> 5] = (bits[index >>> 5] ?? 0) | (1 << (index & 31));
}

/** What is in both. */
export function both(one: Bits, other: Bits): Bits {
	return one.map((word, index) => word & (other[index] ?? 0));
}

/** What is in either. */
export function either(one: Bits, other: Bits): Bits {
	return one.map((word, index) => word | (other[index] ?? 0));
}

/** What is in the first and not in the second. */
export function except(one: Bits, other: Bits): Bits {
	return one.map((word, index) => word & ~(other[index] ?? 0));
}

/** Whether a set is empty. */
export function isEmpty(bits: Bits): boolean {
	return bits.every((word) => word === 0);
}

/** Whether two sets of the same size are equal. */
export function isSame(one: Bits, other: Bits): boolean {
	return one.every((word, index) => word === other[index]);
}

/** The numbers of a set in ascending order. */
export function* numbersOf(bits: Bits): Iterable<number> {
	for (const [place, word] of bits.entries()) {
		for (let rest = word; rest !== 0; rest &= rest - 1) {
			yield place * 32 + 31 - Math.clz32(rest & -rest);
		}
	}
}

/** How many numbers are in a set. */
export function countOf(bits: Bits): number {
	let count = 0;
	for (const word of bits) {
		for (let rest = word; rest !== 0; rest &= rest - 1) {
			count++;
		}
	}
	return count;
}
