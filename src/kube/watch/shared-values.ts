import type { Sharing } from "../../core/shape.ts";

/** Shares what is equal among the objects of a world; nobody changes an object that is kept. */
export interface SharedValues extends Sharing {
	/** Which part of the items since the last call was not known before: 0 when all were shared, 1 when none was. */
	takeFreshShare(): number;
}

const longestText = 256;
const longestItem = 512;

/**
 * Makes an empty memory of values: hosts, label values, ports and routes repeat thousands of times in a cluster. It is
 * bounded, because what it has seen outlives the objects: it remembers the values of this and the last generation, so
 * that what occurs once does not displace what occurs often.
 * @param limit values of one generation: the API server lists by namespace, and what is equal is mostly near
 */
export function createSharedValues(limit = 16_384): SharedValues {
	let all = 0;
	let fresh = 0;
	const texts = createGenerations<string>(limit);
	const known = createGenerations<object>(limit);
	return {
		text: (text) => (text.length > longestText ? text : texts(text, text)),
		item(item) {
			const key = JSON.stringify(item);
			// What has the same JSON is equal: it comes from JSON.
			const shared = key.length > longestItem ? item : known(key, item);
			all += key.length;
			fresh += shared === item ? key.length : 0;
			return shared;
		},
		takeFreshShare() {
			const share = all === 0 ? 1 : fresh / all;
			all = 0;
			fresh = 0;
			return share;
		},
	};
}

/** Gives the value that is known under a key, which is the given one where there was none. */
function createGenerations<T>(limit: number): (key: string, value: T) => T {
	let young = new Map<string, T>();
	let old: ReadonlyMap<string, T> = new Map();
	return (key, value) => {
		const known = young.get(key);
		if (known !== undefined) {
			return known;
		}
		const found = old.get(key) ?? value;
		if (young.size >= limit) {
			old = young;
			young = new Map();
		}
		young.set(key, found);
		return found;
	};
}

/** Shares nothing: for an object that is not kept. */
export const nothingShared: SharedValues = {
	text: (text) => text,
	item: (item) => item,
	takeFreshShare: () => 1,
};
