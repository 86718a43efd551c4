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

/** Whether a value has a shape, and what is too large in it. */
export interface Measurement {
	readonly fits: boolean;
	readonly excess: Excess | undefined;
}

/** Looks at a value of a kind's shape, in one pass. */
export type Measure = (value: unknown) => Measurement;

/** Looks at a value and what is in it; false as soon as that is too large. */
type Look = (value: unknown, count: Count) => boolean;

const fitting: Measurement = { fits: true, excess: undefined };
const misfitting: Measurement = { fits: false, excess: undefined };

/**
 * Makes the look at values of a shape, once for each kind, since every verdict begins with it: whether one has the
 * shape, and what is too large in it. The first that is ends the look, so an object of any size is read in a bounded
 * time. What the shape does not name is not looked at.
 */
export function measureOf(shape: Shape): Measure {
	const look = lookOf(shape, longestText);
	const node = nodeOf(shape, longestText);
	return (value) => {
		if (fitsAtOnce(value, node, { left: mostValues })) {
			return fitting;
		}
		const count: Count = { left: mostValues, fits: true, excess: undefined };
		if (look(value, count)) {
			return count.fits ? fitting : misfitting;
		}
		const excess = count.excess ?? { path: [], reason: `has more than ${mostValues} values` };
		return { fits: false, excess };
	};
}

/** A shape as `fitsAtOnce` reads it. Every node has all fields, so that one way to read them serves all. */
interface Node {
	readonly type: "string" | "number" | "boolean" | "list" | "map" | "fields";
	/** The most characters of a text, or items of a list. */
	readonly most: number;
	readonly item: Node | undefined;
	readonly fields: ReadonlyMap<string, Node>;
}

const noFields: ReadonlyMap<string, Node> = new Map();

function nodeOf(shape: Shape, longest: number): Node {
	const node = { most: mostItems, item: undefined, fields: noFields };
	if (typeof shape === "string") {
		return { ...node, type: shape, most: longest };
	}
	if ("list" in shape) {
		const { list, most = mostItems } = shape;
		return { ...node, type: "list", most, item: nodeOf(list, longestText) };
	}
	if ("map" in shape) {
		return { ...node, type: "map", item: nodeOf(shape.map, shape.longest ?? longestText) };
	}
	const fields = Object.entries(shape.fields).map(
		([name, inner]) => [name, nodeOf(inner, longestText)] as const,
	);
	return { ...node, type: "fields", fields: new Map(fields) };
}

/**
 * Whether a value has the shape and is not too large, found by the fields that it has: most objects have few of those
 * that a shape names. What the shape does not name is counted here too, so a false says nothing: the look does.
 */
function fitsAtOnce(value: unknown, node: Node, count: { left: number }): boolean {
	const { type, most } = node;
	if (typeof value === "string") {
		count.left -= 1 + (value.length >> 6);
		return type === "string" && value.length <= most && count.left >= 0;
	}
	if (--count.left < 0 || typeof value !== "object" || value === null) {
		return typeof value === type && count.left >= 0;
	}
	if (Array.isArray(value)) {
		return type === "list" && value.length <= most && itemsFit(value, node, count);
	}
	return type === "fields" ? fieldsFit(value, node, count) : type === "map" && valuesFit(value, node, count);
}

function itemsFit(items: readonly unknown[], { item }: Node, count: { left: number }): boolean {
	for (let index = 0; index < items.length; index++) {
		if (item === undefined || !fitsAtOnce(items[index], item, count)) {
			return false;
		}
	}
	return true;
}

function fieldsFit(value: object, { fields }: Node, count: { left: number }): boolean {
	for (const name in value) {
		const content = (value as Content)[name];
		const node = fields.get(name);
		if (node === undefined) {
			count.left--;
		} else if (content !== undefined && content !== null && !fitsAtOnce(content, node, count)) {
			return false;
		}
		if (count.left < 0) {
			return false;
		}
	}
	return true;
}

function valuesFit(value: object, { item }: Node, count: { left: number }): boolean {
	let keys = 0;
	for (const key in value) {
		const isTooMuch = ++keys > mostItems || key.length > longestText;
		if (isTooMuch || item === undefined || !fitsAtOnce((value as Content)[key], item, count)) {
			return false;
		}
	}
	return true;
}

function lookOf(shape: Shape, longest: number): Look {
	if (typeof shape === "string") {
		return (value, count) => lookAtScalar(value, count, shape, longest);
	}
	if ("list" in shape) {
		const most = shape.most ?? mostItems;
		const look = lookOf(shape.list, longestText);
		return (value, count) =>
			isOpen(value, count, true) ?? lookAtItems(value as readonly unknown[], count, most, look);
	}
	if ("map" in shape) {
		const look = lookOf(shape.map, shape.longest ?? longestText);
		return (value, count) => isOpen(value, count, false) ?? lookAtMap(value as Content, count, look);
	}
	const names = Object.keys(shape.fields);
	const looks = Object.values(shape.fields).map((inner) => lookOf(inner, longestText));
	return (value, count) => isOpen(value, count, false) ?? lookAtFields(value as Content, count, names, looks);
}

type Content = Readonly<Record<string, unknown>>;

function lookAtScalar(
	value: unknown,
	count: Count,
	type: "string" | "number" | "boolean",
	longest: number,
): boolean {
	if (--count.left < 0) {
		return false;
	}
	if (typeof value !== type) {
		count.fits = false;
	}
	if (typeof value !== "string") {
		return true;
	}
	count.left -= value.length >> 6;
	return value.length <= longest || exceed(count, `has more than ${longest} characters`);
}

/** Counts a list or a map; undefined: it is one, and is to be looked into. */
function isOpen(value: unknown, count: Count, isList: boolean): boolean | undefined {
	if (--count.left < 0) {
		return false;
	}
	if (typeof value !== "object" || value === null || Array.isArray(value) !== isList) {
		count.fits = false;
		return true;
	}
	return undefined;
}

function lookAtItems(items: readonly unknown[], count: Count, most: number, look: Look): boolean {
	if (items.length > most) {
		return exceed(count, `has more than ${most} items`);
	}
	for (let index = 0; index < items.length; index++) {
		if (!look(items[index], count)) {
			return within(index, count);
		}
	}
	return true;
}

function lookAtMap(map: Content, count: Count, look: Look): boolean {
	let keys = 0;
	for (const key in map) {
		if (++keys > mostItems) {
			return exceed(count, `has more than ${mostItems} keys`);
		}
		if (key.length > longestText) {
			return exceed(count, `has a key of more than ${longestText} characters`);
		}
		if (!look(map[key], count)) {
			return within(key, count);
		}
	}
	return true;
}

function lookAtFields(
	value: Content,
	count: Count,
	names: readonly string[],
	looks: readonly Look[],
): boolean {
	for (let index = 0; index < names.length; index++) {
		const name = names[index] ?? "";
		const content = value[name];
		if (content !== undefined && content !== null && looks[index]?.(content, count) === false) {
			return within(name, count);
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
