import type { Path } from "../core/finding.ts";

/** An object of the input with all its fields, also those that no rule reads. */
export type Fields = Readonly<Record<string, unknown>>;

/** A value as a map; empty when it is none. */
export function fieldsOf(value: unknown): Fields {
	return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** A value as a list; empty when it is none. */
export function listOf(value: unknown): readonly unknown[] {
	return Array.isArray(value) ? value : [];
}

/** The strings of a value that should be a list of strings. */
export function textsOf(value: unknown): readonly string[] {
	return listOf(value).filter((item) => typeof item === "string");
}

/** A value as a string; undefined when it is none. */
export function textOf(value: unknown): string | undefined {
	return typeof value === "string" ? value : undefined;
}

/** A value as a number; undefined when it is none. */
export function numberOf(value: unknown): number | undefined {
	return typeof value === "number" ? value : undefined;
}

/** The value at a path; undefined when something on the way is missing. */
export function valueAt(value: unknown, path: Path): unknown {
	let current = value;
	for (const step of path) {
		if (typeof current !== "object" || current === null || !Object.hasOwn(current, step)) {
			return undefined;
		}
		current = (current as Record<string | number, unknown>)[step];
	}
	return current;
}

/** The paths of everything that a value says: scalars, and maps and lists without content. */
export function* leavesOf(value: unknown, path: Path = []): Generator<Path> {
	if (typeof value !== "object" || value === null) {
		yield path;
		return;
	}
	const entries: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
		? [...value.entries()]
		: Object.entries(value);
	if (entries.length === 0) {
		yield path;
	}
	for (const [key, item] of entries) {
		yield* leavesOf(item, [...path, key]);
	}
}

/** A map without some of its fields. */
export function without(value: Fields, ...names: readonly string[]): Fields {
	return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}

/** Makes a name for a new object of a text that a user chose: lower case, digits, hyphens. */
export function objectName(text: string): string {
	const name = text
		.slice(0, 253)
		.toLowerCase()
		.replaceAll("*", "any")
		.replaceAll(/[^a-z0-9-]+/g, "-")
		.replaceAll(/^-+|-+$/g, "")
		.slice(0, 60)
		.replace(/-+$/, "");
	return name === "" ? "egress" : name;
}
