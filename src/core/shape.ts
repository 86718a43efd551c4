/** What a value must look like, derived from its TypeScript type so that the two cannot disagree. */
export type Shape<T> = [T] extends [string]
	? "string"
	: [T] extends [number]
		? "number"
		: [T] extends [boolean]
			? "boolean"
			: T extends readonly (infer Item)[]
				? { readonly list: Shape<Item> }
				: string extends keyof T
					? { readonly map: Shape<T[keyof T]> }
					: { readonly fields: { readonly [Field in keyof T]-?: Shape<NonNullable<T[Field]>> } };

/** The shape of any type. */
export type AnyShape =
	| "string"
	| "number"
	| "boolean"
	| { readonly list: AnyShape }
	| { readonly map: AnyShape }
	| { readonly fields: Readonly<Record<string, AnyShape>> };

/**
 * Whether every field that Waymark reads has the type it expects; a null field counts as absent, a null list item
 * does not (the API server prunes the one and refuses the other). Unknown fields are ignored.
 */
export function conforms<T>(value: unknown, shape: Shape<T>): value is T {
	return matches(value, shape as AnyShape);
}

function matches(value: unknown, shape: AnyShape): boolean {
	if (typeof shape === "string") {
		return typeof value === shape;
	}
	if (typeof value !== "object" || value === null) {
		return false;
	}
	if ("list" in shape) {
		return Array.isArray(value) && value.every((item) => matches(item, shape.list));
	}
	if (Array.isArray(value)) {
		return false;
	}
	if ("map" in shape) {
		return Object.values(value).every((item) => matches(item, shape.map));
	}
	for (const field in shape.fields) {
		const content = (value as Readonly<Record<string, unknown>>)[field];
		const expected = shape.fields[field];
		if (content !== undefined && content !== null && expected !== undefined && !matches(content, expected)) {
			return false;
		}
	}
	return true;
}

/** Copies the fields that a shape names and drops everything else; `keep` shares equal strings. */
export function project<T>(value: T, shape: Shape<T>, keep: (text: string) => string = (text) => text): T {
	return copy(value, shape as AnyShape, keep) as T;
}

function copy(value: unknown, shape: AnyShape, keep: (text: string) => string): unknown {
	if (typeof shape === "string") {
		return typeof value === "string" ? keep(value) : value;
	}
	if (typeof value !== "object" || value === null) {
		return value;
	}
	if ("list" in shape) {
		return Array.isArray(value) ? value.map((item) => copy(item, shape.list, keep)) : value;
	}
	const result: Record<string, unknown> = {};
	if ("map" in shape) {
		for (const [key, item] of Object.entries(value)) {
			const kept = copy(item, shape.map, keep);
			if (key === "__proto__") {
				Object.defineProperty(result, key, {
					value: kept,
					enumerable: true,
					writable: true,
					configurable: true,
				});
			} else {
				result[keep(key)] = kept;
			}
		}
		return result;
	}
	for (const field in shape.fields) {
		const content: unknown = Object.hasOwn(value, field)
			? (value as Record<string, unknown>)[field]
			: undefined;
		const inner = shape.fields[field];
		if (content !== undefined && content !== null && inner !== undefined) {
			result[field] = copy(content, inner, keep);
		}
	}
	return result;
}
