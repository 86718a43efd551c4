/**
 * What a value must look like, as far as Waymark reads it. `most` bounds the items of a list (where a CRD does), `longest`
 * the texts of a map; what neither bounds has the bounds of `size.ts`.
 */
export type Shape =
	| "string"
	| "number"
	| "boolean"
	| { readonly list: Shape; readonly most?: number }
	| { readonly map: Shape; readonly longest?: number }
	| { readonly fields: Readonly<Record<string, Shape>> };

/** Shapes by name: where a shape holds such a name, it means that shape. */
export type NamedShapes = Readonly<Record<string, unknown>>;

/**
 * The type of the values that have a shape. A field is optional, and null means the same as absent, because the API
 * server prunes an explicit null.
 */
export type Infer<S, Names = Record<never, never>> = S extends "string"
	? string
	: S extends "number"
		? number
		: S extends "boolean"
			? boolean
			: S extends keyof Names
				? Infer<Names[S], Names>
				: S extends { readonly list: infer Item }
					? readonly Infer<Item, Names>[]
					: S extends { readonly map: infer Item }
						? Readonly<Record<string, Infer<Item, Names>>>
						: S extends { readonly fields: infer Fields }
							? { readonly [Field in keyof Fields]?: Infer<Fields[Field], Names> | null | undefined }
							: never;

/** The shape with every name replaced by the shape it names; throws where nothing has the name. */
export function resolveShape(shape: unknown, names: NamedShapes): Shape {
	if (shape === "string" || shape === "number" || shape === "boolean") {
		return shape;
	}
	if (typeof shape === "string" && Object.hasOwn(names, shape)) {
		return resolveShape(names[shape], names);
	}
	const { list, map, fields, most, longest } = (shape ?? {}) as {
		list?: unknown;
		map?: unknown;
		fields?: unknown;
		most?: number;
		longest?: number;
	};
	if (list !== undefined) {
		return { list: resolveShape(list, names), ...(most === undefined ? {} : { most }) };
	}
	if (map !== undefined) {
		return { map: resolveShape(map, names), ...(longest === undefined ? {} : { longest }) };
	}
	if (typeof fields !== "object" || fields === null) {
		throw new TypeError(`Cannot resolve the shape ${JSON.stringify(shape)}: nothing has this name`);
	}
	return {
		fields: Object.fromEntries(
			Object.entries(fields).map(([field, inner]) => [field, resolveShape(inner, names)]),
		),
	};
}

/**
 * Whether every field that Waymark reads has the type it expects; a null field counts as absent, a null list item
 * does not (the API server prunes the one and refuses the other). Unknown fields are ignored.
 */
export function conforms<T>(value: unknown, shape: Shape): value is T {
	return matches(value, shape);
}

function matches(value: unknown, shape: Shape): boolean {
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

/** What of a value has the shape, with whatever has not left out; undefined where nothing has. */
export function conforming(value: unknown, shape: Shape): unknown {
	if (typeof shape === "string") {
		return typeof value === shape ? value : undefined;
	}
	if ("list" in shape) {
		return Array.isArray(value)
			? value.map((item) => conforming(item, shape.list)).filter((item) => item !== undefined)
			: undefined;
	}
	if (typeof value !== "object" || value === null || Array.isArray(value)) {
		return undefined;
	}
	return Object.fromEntries(
		Object.entries(value).flatMap(([key, item]): readonly (readonly [string, unknown])[] => {
			const inner =
				"map" in shape ? shape.map : Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined;
			const kept = inner === undefined ? undefined : conforming(item, inner);
			return kept === undefined ? [] : [[key, kept]];
		}),
	);
}

/** Gives the same value for equal ones, so that many copies hold it once. */
export interface Sharing {
	text(text: string): string;
	/** An object in a list, already copied. */
	item(item: object): object;
}

const noSharing: Sharing = { text: (text) => text, item: (item) => item };

/** Copies the fields that a shape names and drops everything else. */
export function pick<T>(value: T, shape: Shape, sharing: Sharing = noSharing): T {
	return copy(value, shape, sharing) as T;
}

function copy(value: unknown, shape: Shape, sharing: Sharing): unknown {
	if (typeof shape === "string") {
		return typeof value === "string" ? sharing.text(value) : value;
	}
	if (typeof value !== "object" || value === null) {
		return value;
	}
	if ("list" in shape) {
		return Array.isArray(value)
			? value.map((item) => share(copy(item, shape.list, sharing), sharing))
			: value;
	}
	const result: Record<string, unknown> = {};
	if ("map" in shape) {
		for (const [key, item] of Object.entries(value)) {
			const kept = copy(item, shape.map, sharing);
			if (key === "__proto__") {
				Object.defineProperty(result, key, {
					value: kept,
					enumerable: true,
					writable: true,
					configurable: true,
				});
			} else {
				result[sharing.text(key)] = kept;
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
			result[field] = copy(content, inner, sharing);
		}
	}
	return result;
}

function share(item: unknown, sharing: Sharing): unknown {
	return typeof item === "object" && item !== null && !Array.isArray(item) ? sharing.item(item) : item;
}
