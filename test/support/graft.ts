import type { AnyObject } from "../../src/core/kinds.ts";

type Path = readonly (string | number)[];

/** An object with one part of another's, and where that part stands. */
export interface Graft {
	readonly path: Path;
	readonly object: AnyObject;
}

/** Every part of an object, however deep, each alone in the same place of a host; of a list, each item alone. */
export function* graftsOf(donor: AnyObject, host: AnyObject): Iterable<Graft> {
	for (const [path, value] of partsOf(donor, [])) {
		if (path[0] !== "apiVersion" && path[0] !== "kind") {
			yield { path, object: withPart(host, path, value) as AnyObject };
		}
	}
}

function* partsOf(value: unknown, path: Path): Iterable<readonly [Path, unknown]> {
	if (path.length > 0) {
		yield [path, value];
	}
	if (Array.isArray(value)) {
		for (const [index, item] of value.entries()) {
			yield* partsOf(item, [...path, index]);
		}
	} else if (typeof value === "object" && value !== null) {
		for (const [key, item] of Object.entries(value)) {
			yield* partsOf(item, [...path, key]);
		}
	}
}

function withPart(host: unknown, [step, ...rest]: Path, value: unknown): unknown {
	if (step === undefined) {
		return value;
	}
	if (typeof step === "number") {
		return [withPart(Array.isArray(host) ? host[0] : undefined, rest, value)];
	}
	const fields = (typeof host === "object" && host !== null ? host : {}) as Readonly<Record<string, unknown>>;
	return { ...fields, [step]: withPart(fields[step], rest, value) };
}
