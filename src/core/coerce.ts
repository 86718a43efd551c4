import type { Path } from "./finding.ts";
import type { Shape } from "./shape.ts";

/** A value of the wrong type, which the API server refuses. */
export interface ShapeFault {
	readonly path: Path;
	readonly expected: "string" | "number" | "boolean" | "list" | "map";
	readonly value: unknown;
}

/**
 * A copy of a value that has a shape, read as its author most likely meant it: a quoted number counts as one, a single
 * value as a list of one, and what nobody can read is left out. Every deviation is a fault.
 */
export function coerce(
	value: unknown,
	shape: Shape,
): { readonly value: unknown; readonly faults: readonly ShapeFault[] } {
	const faults: ShapeFault[] = [];
	return { value: read(value, shape, [], faults), faults };
}

function read(value: unknown, shape: Shape, path: Path, faults: ShapeFault[]): unknown {
	if (typeof shape === "string") {
		return typeof value === shape ? value : scalar(value, shape, path, faults);
	}
	if ("list" in shape) {
		if (Array.isArray(value)) {
			return value.map(
				(item, index) => read(item, shape.list, [...path, index], faults) ?? empty(shape.list),
			);
		}
		faults.push({ path, expected: "list", value });
		return [read(value, shape.list, [...path, 0], []) ?? empty(shape.list)];
	}
	if (typeof value !== "object" || value === null || Array.isArray(value)) {
		faults.push({ path, expected: "map", value });
		return undefined;
	}
	const content: Readonly<Record<string, unknown>> = { ...value };
	const names = Object.keys(content).filter((name) => content[name] !== null && content[name] !== undefined);
	const readable = names.flatMap((name): readonly (readonly [string, unknown])[] => {
		const inner =
			"map" in shape ? shape.map : Object.hasOwn(shape.fields, name) ? shape.fields[name] : undefined;
		const result = inner === undefined ? content[name] : read(content[name], inner, [...path, name], faults);
		return result === undefined ? [] : [[name, result]];
	});
	return Object.fromEntries(readable);
}

function scalar(
	value: unknown,
	expected: "string" | "number" | "boolean",
	path: Path,
	faults: ShapeFault[],
): string | number | undefined {
	faults.push({ path, expected, value });
	if (expected === "string") {
		return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
	}
	const isNumber = expected === "number" && typeof value === "string" && /^\d{1,9}$/.test(value);
	return isNumber ? Number(value) : undefined;
}

/** What stands in a list for an item that cannot be read, so that the others keep their places. */
function empty(shape: Shape): unknown {
	if (typeof shape !== "string") {
		return "list" in shape ? [] : {};
	}
	return { string: "", number: 0, boolean: false }[shape];
}
