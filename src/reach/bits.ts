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

// Loops: these are called a hundred thousand times, and `map` of a typed array costs ten times as much.

/** What is in both. */
export function both(one: Bits, other: Bits): Bits {
	const result = new Uint32Array(one.length);
	for (let place = 0; place < result.length; place++) {
		result[place] = (one[place] ?? 0) & (other[place] ?? 0);
	}
	return result;
}

/** What is in either. */
export function either(one: Bits, other: Bits): Bits {
	const result = new Uint32Array(one.length);
	for (let place = 0; place < result.length; place++) {
		result[place] = (one[place] ?? 0) | (other[place] ?? 0);
	}
	return result;
}

/** What is in the first and not in the second. */
export function except(one: Bits, other: Bits): Bits {
	const result = new Uint32Array(one.length);
	for (let place = 0; place < result.length; place++) {
		result[place] = (one[place] ?? 0) & ~(other[place] ?? 0);
	}
	return result;
}

/** Whether a set is empty. */
export function isEmpty(bits: Bits): boolean {
	for (let place = 0; place < bits.length; place++) {
		if (bits[place] !== 0) {
			return false;
		}
	}
	return true;
}

/** Whether two sets of the same size are equal. */
export function isSame(one: Bits, other: Bits): boolean {
	for (let place = 0; place < one.length; place++) {
		if (one[place] !== other[place]) {
			return false;
		}
	}
	return true;
}

/** Remembers what was worked out about sets: equal ones are asked about once. */
export function rememberSets<T>(answer: (bits: Bits) => T): (bits: Bits) => T {
	const known = new Map<number, { readonly bits: Bits; readonly value: T }[]>();
	return (bits) => {
		let hash = 0;
		for (let place = 0; place < bits.length; place++) {
			hash = (Math.imul(hash, 31) + (bits[place] ?? 0)) | 0;
		}
		const alike = known.get(hash);
		const found = alike?.find((each) => isSame(each.bits, bits));
		if (found !== undefined) {
			return found.value;
		}
		const value = answer(bits);
		if (alike === undefined) {
			known.set(hash, [{ bits, value }]);
		} else {
			alike.push({ bits, value });
		}
		return value;
	};
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
