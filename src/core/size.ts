import type { Path } from "./finding.ts";
import type { Shape } from "./shape.ts";

/** The most items of a list and keys of a map that no CRD bounds closer. */
export const mostItems = 4096;

/** The most characters of a text; annotations, which tools fill, may have as many as the API server lets all of them have. */
export const longestText = 4096;

/** The most values in all: each counts one, and one more for every 64 characters. */
export const mostValues = 32_768;

/** What makes an object too large to judge. */
export interface Excess {
	readonly path: Path;
	/** Goes on after the path: "has more than 256 items". */
	readonly reason: string;
}

interface Count {
	left: number;
	fits: boolean;
	excess: Excess | undefined;
}

/**
 * Whether a value has a shape, and what is too large in it: the first that is ends the look at it, so an object of any
 * size is read in a bounded time. What the shape does not name is not looked at.
 */
export function measure(
	value: unknown,
	shape: Shape,
): { readonly fits: boolean; readonly excess: Excess | undefined } {
	const count: Count = { left: mostValues, fits: true, excess: undefined };
	const isBounded = look(value, shape, count, longestText);
	const excess =
		count.excess ?? (isBounded ? undefined : { path: [], reason: `has more than ${mostValues} values` });
	return { fits: count.fits && isBounded, excess };
}

/** Looks at a value and what is in it; false as soon as that is too large. */
function look(value: unknown, shape: Shape, count: Count, longest: number): boolean {
	if (--count.left < 0) {
		return false;
	}
	if (typeof shape === "string") {
		if (typeof value !== shape) {
			count.fits = false;
		}
		return typeof value !== "string" || lookAtText(value, count, longest);
	}
	if (typeof value !== "object" || value === null || Array.isArray(value) !== "list" in shape) {
		count.fits = false;
		return true;
	}
	if ("list" in shape) {
		return lookAtItems(value as readonly unknown[], shape, count);
	}
	return "map" in shape ? lookAtMap(value, shape, count) : lookAtFields(value, shape, count);
}

function lookAtText(text: string, count: Count, longest: number): boolean {
	count.left -= text.length >> 6;
	return text.length <= longest || exceed(count, `has more than ${longest} characters`);
}

function lookAtItems(
	items: readonly unknown[],
	shape: Extract<Shape, { list: Shape }>,
	count: Count,
): boolean {
	const most = shape.most ?? mostItems;
	if (items.length > most) {
		return exceed(count, `has more than ${most} items`);
	}
	for (let index = 0; index < items.length; index++) {
		if (!look(items[index], shape.list, count, longestText)) {
			return within(index, count);
		}
	}
	return true;
}

function lookAtMap(value: object, shape: Extract<Shape, { map: Shape }>, count: Count): boolean {
	const map = value as Readonly<Record<string, unknown>>;
	let keys = 0;
	for (const key in map) {
		if (++keys > mostItems) {
			return exceed(count, `has more than ${mostItems} keys`);
		}
		if (key.length > longestText) {
			return exceed(count, `has a key of more than ${longestText} characters`);
		}
		if (!look(map[key], shape.map, count, shape.longest ?? longestText)) {
			return within(key, count);
		}
	}
	return true;
}

function lookAtFields(value: object, shape: Extract<Shape, { fields: unknown }>, count: Count): boolean {
	const { fields } = shape;
	for (const field in fields) {
		const content = (value as Readonly<Record<string, unknown>>)[field];
		const expected = fields[field];
		const isThere = content !== undefined && content !== null && expected !== undefined;
		if (isThere && !look(content, expected, count, longestText)) {
			return within(field, count);
		}
	}
	return true;
}

function exceed(count: Count, reason: string): false {
	count.excess = { path: [], reason };
	return false;
}

/** Writes the way to what is too large, from the inside out. */
function within(step: string | number, count: Count): false {
	if (count.excess !== undefined) {
		count.excess = { ...count.excess, path: [step, ...count.excess.path] };
	}
	return false;
}
