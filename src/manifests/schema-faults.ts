import { isIP } from "node:net";
import { closest } from "../core/closest.ts";
import type { Path } from "../core/finding.ts";
import { quote } from "../core/finding.ts";
import { expression, holds } from "./cel.ts";
import type { SchemaNode } from "./schema.ts";
import { fieldsOf, nodeAt } from "./schema.ts";

/** What the API server has against a value, and where. */
export interface SchemaFault {
	readonly path: Path;
	readonly message: string;
	/** Whether the schema has no such field: that is worth saying beside what else is said of the object around it. */
	readonly isUnknown?: true;
}

/**
 * What the API server has against an object of a CRD, in its order: what the schema says of each value, of equal items of
 * lists, and at last the rules in CEL; these it asks only of a value that is right otherwise
 * (apiextensions-apiserver pkg/registry/customresource/strategy.go, Validate).
 */
export function schemaFaults(written: unknown, place: number): readonly SchemaFault[] {
	const stored = asStored(written, place);
	const faults = [...valueFaults(stored, nodeAt(place), []), ...twins(stored, place, [])];
	return faults.length > 0 ? faults : [...ruleFaults(stored, place, [])];
}

/**
 * What the API server has against a value of a kind that it is built with, by its types alone: it decodes such an object
 * into a structure, in which null says nothing (encoding/json).
 */
export function* builtInFaults(value: unknown, place: number, path: Path): Generator<SchemaFault> {
	const node = nodeAt(place);
	if (value === null) {
		return;
	}
	const wanted = wantedType(value, node);
	if (wanted !== undefined) {
		yield { path, message: `${wanted} here, not ${shown(value)}` };
	} else if (typeof value === "number") {
		yield* numberFaults(value, node, path);
	} else if (typeof value === "string" && node.format === "date-time" && !isGoTime(value)) {
		yield { path, message: `${quote(value)} is no date and time, such as 2026-01-31T08:00:00Z` };
	} else if (Array.isArray(value)) {
		for (const [index, item] of value.entries()) {
			yield* builtInFaults(item, node.item ?? 0, [...path, index]);
		}
	} else if (typeof value === "object") {
		for (const [field, inner] of Object.entries(value)) {
			yield* builtInFaults(inner, innerPlace(node, field) ?? 0, [...path, field]);
		}
	}
}

/**
 * A value as the API server keeps it: without fields that say null where that says nothing, and with the defaults of the
 * schema (apiextensions-apiserver pkg/apiserver/schema/defaulting).
 */
function asStored(value: unknown, place: number): unknown {
	if (place === 0) {
		return value;
	}
	const node = nodeAt(place);
	if (Array.isArray(value)) {
		return node.item === undefined
			? value
			: value.map((item) =>
					asStored(
						item === null && nodeAt(node.item).nullable !== true ? (nodeAt(node.item).default ?? null) : item,
						node.item ?? 0,
					),
				);
	}
	if (typeof value !== "object" || value === null) {
		return value;
	}
	const stored: [string, unknown][] = [];
	for (const [field, inner] of Object.entries(value)) {
		const at = innerPlace(node, field);
		const { nullable, default: preset } = nodeAt(at);
		const given = inner === null && nullable !== true && at !== undefined ? preset : inner;
		if (given !== undefined) {
			stored.push([field, asStored(given, at ?? 0)]);
		}
	}
	for (const [field, at] of Object.entries(node.fields ?? {})) {
		const preset = nodeAt(at).default;
		if (preset !== undefined && !Object.hasOwn(value, field)) {
			stored.push([field, asStored(preset, at)]);
		}
	}
	return Object.fromEntries(stored);
}

function innerPlace({ fields, value }: SchemaNode, field: string): number | undefined {
	return fields !== undefined && Object.hasOwn(fields, field) ? fields[field] : value;
}

function* valueFaults(value: unknown, node: SchemaNode, path: Path): Generator<SchemaFault> {
	if (value === null) {
		if ((node.type !== undefined || node.either === true) && node.nullable !== true) {
			yield { path, message: "nothing stands here, which is null" };
		}
		return;
	}
	const wanted = wantedType(value, node);
	if (wanted !== undefined) {
		yield { path, message: `${wanted} here, not ${shown(value)}` };
		return;
	}
	yield* choiceFaults(value, node, path);
	if (typeof value === "string") {
		yield* textFaults(value, node, path);
	} else if (typeof value === "number") {
		yield* numberFaults(value, node, path);
	} else if (Array.isArray(value)) {
		yield* countFaults(value.length, node.minItems, node.maxItems, "items", path);
		for (const [index, item] of value.entries()) {
			yield* valueFaults(item, nodeAt(node.item), [...path, index]);
		}
	} else if (typeof value === "object") {
		yield* objectFaults(fieldsOf(value), node, path);
	}
}

const typeWords = {
	string: "a text belongs",
	integer: "a whole number belongs",
	number: "a number belongs",
	boolean: "true or false belongs",
	array: "a list belongs",
	object: "fields belong",
} as const;

/** What belongs in the place of a value of another type. */
function wantedType(value: unknown, { type, either }: SchemaNode): string | undefined {
	if (either === true) {
		return typeof value === "string" || Number.isInteger(value)
			? undefined
			: "a whole number or a text belongs";
	}
	if (type === undefined) {
		return undefined;
	}
	const isRight = {
		string: typeof value === "string",
		integer: Number.isInteger(value),
		number: typeof value === "number",
		boolean: typeof value === "boolean",
		array: Array.isArray(value),
		object: typeof value === "object" && !Array.isArray(value),
	}[type];
	return isRight ? undefined : typeWords[type];
}

function shown(value: unknown): string {
	if (typeof value === "string") {
		return quote(value);
	}
	return typeof value === "object" ? (Array.isArray(value) ? "a list" : "a map") : String(value);
}

function* choiceFaults(value: unknown, node: SchemaNode, path: Path): Generator<SchemaFault> {
	if (node.enum?.includes(value) === false) {
		const words = node.enum.filter((word) => word !== "").map(String);
		const meant = typeof value === "string" ? closest(value, words.slice(0, 32)) : undefined;
		yield {
			path,
			message: `${shown(value)} is none of ${words.join(", ")}${meant === undefined ? "" : `; did you mean ${quote(meant)}`}`,
		};
	}
	const fits = (place: number): boolean => valueFaults(value, nodeAt(place), path).next().done === true;
	for (const place of node.all ?? []) {
		yield* valueFaults(value, nodeAt(place), path);
	}
	if (node.any !== undefined && !node.any.some(fits)) {
		yield { path, message: alternatives(node.any, value) };
	}
	if (node.one !== undefined && node.one.filter(fits).length !== 1) {
		yield { path, message: alternatives(node.one, value) };
	}
	if (node.not !== undefined && fits(node.not)) {
		yield { path, message: "the schema forbids this together" };
	}
}

function alternatives(places: readonly number[], value: unknown): string {
	const names = [...new Set(places.flatMap((place) => nodeAt(place).required ?? []))];
	const isGiven = Object.hasOwn(Object(value), names[0] ?? "") || names.some((name) => name in Object(value));
	return names.length === 0
		? `${shown(value)} has none of the forms that the schema has for it`
		: `${isGiven ? "only one of these may be given" : "one of these is missing"}: ${names.join(", ")}`;
}

function* textFaults(value: string, node: SchemaNode, path: Path): Generator<SchemaFault> {
	const { minLength = 0, maxLength, format, pattern } = node;
	const length = value.length > 2 * (maxLength ?? value.length) ? value.length : [...value].length;
	if (maxLength !== undefined && length > maxLength) {
		yield { path, message: `the text has ${length} characters, and ${maxLength} are allowed` };
	} else if (length < minLength) {
		yield { path, message: `the text has ${length} characters, and ${minLength} is the least` };
	} else if (pattern !== undefined && !expression(pattern).test(value)) {
		yield { path, message: `${quote(value)} does not have the form ${pattern}` };
	} else if (format !== undefined && !isOfFormat(value, format)) {
		yield { path, message: `${quote(value)} is no ${format}` };
	}
}

const dateTime =
	/^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;

/**
 * Whether Go's time.Parse takes a text for RFC 3339, as a structure's fields of time are read: T and Z are capitals, a comma
 * may stand before the fraction, one digit is enough for the hour, and there is no leap second.
 */
function isGoTime(value: string): boolean {
	const [, ...parts] =
		/^(\d{4})-(\d\d)-(\d\d)T(\d{1,2}):(\d\d):(\d\d)(?:[.,]\d+)?(?:Z|[+-](\d\d):(\d\d))$/.exec(value) ?? [];
	const [year = 0, month = 0, day = 0, hour = 99, minute = 0, second = 0, zone = 0, zoneMinute = 0] =
		parts.map((part) => Number(part ?? 0));
	const days = new Date(Date.UTC(year < 100 ? year + 400 : year, month, 0)).getUTCDate();
	return (
		month >= 1 &&
		month <= 12 &&
		day >= 1 &&
		day <= days &&
		hour < 24 &&
		minute < 60 &&
		second < 60 &&
		zone <= 24 &&
		zoneMinute <= 60
	);
}

function withoutZeros(number: string): string {
	return number.replace(/^0+(?=[0-9])/, "");
}

function isOfFormat(value: string, format: NonNullable<SchemaNode["format"]>): boolean {
	switch (format) {
		// Any address with a dot in it, and zeros may lead its numbers (kube-openapi pkg/validation/strfmt/default.go, isIPv4).
		case "ipv4":
			return (
				value.includes(".") &&
				isPlainAddress(
					value
						.split(/([.:])/)
						.map(withoutZeros)
						.join(""),
				)
			);
		case "ipv6":
			return value.includes(":") && isPlainAddress(value);
		case "byte":
			return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value);
		case "date-time":
			return dateTime.test(value);
		default:
			return true;
	}
}

function isPlainAddress(value: string): boolean {
	return isIP(value) > 0 && !value.includes("%");
}

function* numberFaults(value: number, node: SchemaNode, path: Path): Generator<SchemaFault> {
	const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, format, type } = node;
	const bits = format === "int32" ? 31 : 63;
	if (type === "integer" && (value >= 2 ** bits || value < -(2 ** bits))) {
		yield { path, message: `${value} does not fit into ${bits + 1} bits` };
	} else if (minimum !== undefined && (exclusiveMinimum === true ? value <= minimum : value < minimum)) {
		yield { path, message: `${value} is too small: ${minimum} is the least` };
	} else if (maximum !== undefined && (exclusiveMaximum === true ? value >= maximum : value > maximum)) {
		yield { path, message: `${value} is too large: ${maximum} is the most` };
	}
}

function* countFaults(
	count: number,
	least: number | undefined,
	most: number | undefined,
	what: string,
	path: Path,
): Generator<SchemaFault> {
	if (most !== undefined && count > most) {
		yield { path, message: `there are ${count} ${what}, and ${most} are allowed` };
	} else if (least !== undefined && count < least) {
		yield { path, message: `there are ${count} ${what}, and ${least} is the least` };
	}
}

function* objectFaults(
	value: Readonly<Record<string, unknown>>,
	node: SchemaNode,
	path: Path,
): Generator<SchemaFault> {
	yield* countFaults(Object.keys(value).length, node.minProperties, node.maxProperties, "fields", path);
	for (const field of node.required ?? []) {
		if (!Object.hasOwn(value, field)) {
			yield { path: [...path, field], message: "this is missing" };
		}
	}
	for (const [field, inner] of Object.entries(value)) {
		const place = innerPlace(node, field);
		if (place !== undefined) {
			yield* valueFaults(inner, nodeAt(place), [...path, field]);
		}
	}
}

/** Items that are there twice where they tell each other apart (apiextensions-apiserver pkg/apiserver/schema/listtype). */
function* twins(value: unknown, place: number, path: Path): Generator<SchemaFault> {
	if (place === 0) {
		return;
	}
	const node = nodeAt(place);
	if (Array.isArray(value)) {
		const { unique } = node;
		const seen = new Set<string>();
		for (const [index, item] of value.entries()) {
			if (unique !== undefined) {
				const known = fieldsOf(item);
				const key = JSON.stringify(unique.length === 0 ? item : unique.map((field) => known[field] ?? null));
				if (seen.has(key)) {
					const fields = unique.length === 0 ? "" : ` in ${unique.join(" and ")}`;
					yield { path: [...path, index], message: `another item is equal to this one${fields}` };
				}
				seen.add(key);
			}
			yield* twins(item, node.item ?? 0, [...path, index]);
		}
		return;
	}
	for (const [field, inner] of Object.entries(fieldsOf(value))) {
		yield* twins(inner, innerPlace(node, field) ?? 0, [...path, field]);
	}
}

function* ruleFaults(value: unknown, place: number, path: Path): Generator<SchemaFault> {
	if (value === null || place === 0) {
		return;
	}
	const node = nodeAt(place);
	for (const [rule, message] of node.rules ?? []) {
		if (!holds(rule, value)) {
			yield { path, message: message.replaceAll(/\s+/g, " ").replace(/\.$/, "") };
		}
	}
	const inner: Iterable<readonly [string | number, unknown]> = Array.isArray(value)
		? value.entries()
		: Object.entries(fieldsOf(value));
	for (const [key, item] of inner) {
		const at = Array.isArray(value) ? node.item : innerPlace(node, String(key));
		yield* ruleFaults(item, at ?? 0, [...path, key]);
	}
}
