import type { Shape } from "./shape.ts";

/**
 * The most that is kept of one object, by `weightOf`, in bytes: two hundred times what a plain ServiceEntry weighs, and
 * more than any object that a person has written. etcd stores objects of 1.5 MB, and a few dozen of those would fill a
 * replica's memory.
 */
export const mostKeptBytes: number = 256 * 1024;

// V8 with compressed pointers off: a header of three words, a word a field; strings of one byte a character.
const headerBytes = 24;
const slotBytes = 8;

/** What the fields of an object that a shape names take of the heap, in bytes, roughly: strings, maps, lists, objects. */
export function weightOf(value: unknown, shape: Shape): number {
	if (typeof value === "string") {
		return headerBytes + value.length;
	}
	if (typeof value !== "object" || value === null || typeof shape === "string") {
		return 0;
	}
	let bytes = headerBytes;
	if ("list" in shape) {
		for (const item of Array.isArray(value) ? value : []) {
			bytes += slotBytes + weightOf(item, shape.list);
		}
		return bytes;
	}
	if ("map" in shape) {
		for (const key in value) {
			const item = (value as Readonly<Record<string, unknown>>)[key];
			bytes += 2 * slotBytes + headerBytes + key.length + weightOf(item, shape.map);
		}
		return bytes;
	}
	for (const field in shape.fields) {
		const content = (value as Readonly<Record<string, unknown>>)[field];
		const inner = shape.fields[field];
		if (content !== undefined && inner !== undefined) {
			bytes += slotBytes + weightOf(content, inner);
		}
	}
	return bytes;
}

/**
 * A copy of the fields that a shape names, whose lists and maps hold their first `most` items, and whose texts their first
 * 1024 characters: what is left out is not copied first.
 */
export function firstOf(value: unknown, shape: Shape, most: number): unknown {
	if (typeof value === "string") {
		return value.slice(0, mostCharacters);
	}
	if (typeof value !== "object" || value === null || typeof shape === "string") {
		return value;
	}
	if (Array.isArray(value)) {
		return "list" in shape ? value.slice(0, most).map((item) => firstOf(item, shape.list, most)) : [];
	}
	const entries = Object.entries(value).flatMap(
		([key, item]): readonly (readonly [string, Shape, unknown])[] => {
			const inner = innerShape(shape, key);
			return inner === undefined ? [] : [[key, inner, item]];
		},
	);
	// A kind has fewer fields than this, so only maps lose something.
	const kept = entries.slice(0, Math.max(most, mostFields));
	return Object.fromEntries(kept.map(([key, inner, item]) => [key, firstOf(item, inner, most)]));
}

function innerShape(shape: Exclude<Shape, string>, key: string): Shape | undefined {
	if ("map" in shape) {
		return shape.map;
	}
	return "fields" in shape && Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined;
}

const mostCharacters = 1024;
const mostFields = 32;
