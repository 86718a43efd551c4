import type { Path } from "../../core/finding.ts";
import { quote } from "../../core/finding.ts";
import type { ValidationProblem } from "./validation-problem.ts";

/** The OpenAPI schema of a CRD, as far as ServiceEntry's uses it. */
export type Schema =
	| {
			readonly type: "string";
			readonly maxLength?: number;
			readonly choices?: readonly string[];
			readonly form?: RegExp;
	  }
	| { readonly type: "integer"; readonly maximum?: number }
	| { readonly type: "list"; readonly of: Schema; readonly minItems?: number; readonly maxItems?: number }
	| { readonly type: "map"; readonly of: Schema; readonly maxProperties?: number }
	| {
			readonly type: "object";
			readonly fields: Readonly<Record<string, Schema>>;
			readonly required?: readonly string[];
	  };

/** Where an object whose fields may have any type does not fit the OpenAPI schema of its CRD. */
export function validateSchema(object: unknown, schema: Schema): Iterable<ValidationProblem> {
	return fits(object, schema) ? [] : validate(object, schema, []);
}

/** Whether an object fits: nearly always, so it is found out without a path to anything. */
function fits(value: unknown, schema: Schema): boolean {
	switch (schema.type) {
		case "string":
			return (
				typeof value === "string" &&
				(schema.choices === undefined || schema.choices.includes(value)) &&
				(schema.form === undefined || schema.form.test(value)) &&
				// A text has at most as many code points as code units.
				(schema.maxLength === undefined || value.length <= schema.maxLength)
			);
		case "integer":
			return (
				Number.isInteger(value) &&
				(schema.maximum === undefined || (Number(value) >= 0 && Number(value) <= schema.maximum))
			);
		case "list":
			return (
				Array.isArray(value) &&
				value.length >= (schema.minItems ?? 0) &&
				value.length <= (schema.maxItems ?? value.length) &&
				value.every((item) => fits(item, schema.of))
			);
		case "map":
			return isMap(value) && mapFits(value, schema);
		default:
			return isMap(value) && fieldsFit(value, schema);
	}
}

function isMap(value: unknown): value is object {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapFits(value: object, schema: Extract<Schema, { type: "map" }>): boolean {
	const keys = Object.keys(value);
	return (
		keys.length <= (schema.maxProperties ?? keys.length) &&
		keys.every((key) => fieldOf(value, key) === null || fits(fieldOf(value, key), schema.of))
	);
}

function fieldsFit(value: object, schema: Extract<Schema, { type: "object" }>): boolean {
	for (const field of schema.required ?? []) {
		if (!Object.hasOwn(value, field) || fieldOf(value, field) === null) {
			return false;
		}
	}
	// A schema names many more fields than most objects have.
	for (const field in value) {
		const inner = Object.hasOwn(schema.fields, field) ? schema.fields[field] : undefined;
		if (inner !== undefined && Object.hasOwn(value, field)) {
			const content = fieldOf(value, field);
			if (content !== null && !fits(content, inner)) {
				return false;
			}
		}
	}
	return true;
}

function* validate(value: unknown, schema: Schema, path: Path): Iterable<ValidationProblem> {
	switch (schema.type) {
		case "string":
			yield* validateString(value, schema, path);
			return;
		case "integer":
			yield* validateInteger(value, schema.maximum, path);
			return;
		case "list":
			yield* validateList(value, schema, path);
			return;
		case "map":
			yield* validateMap(value, schema, path);
			return;
		default:
			yield* validateObject(value, schema, path);
	}
}

function wrongType(path: Path, wanted: string, value: unknown): ValidationProblem {
	return {
		path,
		message: `The CRD wants ${wanted} here, not ${describe(value)}`,
		hint: value === null ? "Remove the null or write a value" : `Write ${wanted}`,
	};
}

function describe(value: unknown): string {
	if (value === null) {
		return "null";
	}
	if (Array.isArray(value)) {
		return "a list";
	}
	return typeof value === "object" ? "a map" : quote(value, 40);
}

function* validateString(
	value: unknown,
	schema: Extract<Schema, { type: "string" }>,
	path: Path,
): Iterable<ValidationProblem> {
	if (typeof value !== "string") {
		yield wrongType(path, "a text", value);
	} else if (schema.choices !== undefined && !schema.choices.includes(value)) {
		yield {
			path,
			message: `${quote(value, 40)} is not a value that the CRD allows here`,
			hint: `Write one of ${schema.choices.join(", ")}`,
		};
	} else if (schema.form !== undefined && !schema.form.test(value)) {
		yield {
			path,
			message: `${quote(value, 60)} is not a name that an object can have`,
			hint: "Write lower-case letters, digits, inner hyphens and dots",
		};
	} else if (schema.maxLength !== undefined && codePoints(value) > schema.maxLength) {
		yield {
			path,
			message: `The text has ${codePoints(value)} characters, and the CRD allows ${schema.maxLength}`,
			hint: "Shorten it",
		};
	}
}

// OpenAPI counts code points.
function codePoints(value: string): number {
	let count = 0;
	for (const _ of value) {
		count++;
	}
	return count;
}

function* validateInteger(
	value: unknown,
	maximum: number | undefined,
	path: Path,
): Iterable<ValidationProblem> {
	if (typeof value !== "number" || !Number.isInteger(value)) {
		yield wrongType(path, "a whole number", value);
	} else if (maximum !== undefined && (value < 0 || value > maximum)) {
		yield {
			path,
			message: `${value} is outside of what the CRD allows here`,
			hint: `Write a number from 0 to ${maximum}`,
		};
	}
}

function* validateList(
	value: unknown,
	schema: Extract<Schema, { type: "list" }>,
	path: Path,
): Iterable<ValidationProblem> {
	if (!Array.isArray(value)) {
		yield wrongType(path, "a list", value);
		return;
	}
	if (value.length < (schema.minItems ?? 0)) {
		yield { path, message: "The list is empty, and the CRD wants an item", hint: "Write at least one item" };
	}
	if (schema.maxItems !== undefined && value.length > schema.maxItems) {
		yield {
			path,
			message: `The list has ${value.length} items, and the CRD allows ${schema.maxItems}`,
			hint: "Split the object into several",
		};
	}
	for (const [index, item] of value.entries()) {
		yield* validate(item, schema.of, [...path, index]);
	}
}

function* validateMap(
	value: unknown,
	schema: Extract<Schema, { type: "map" }>,
	path: Path,
): Iterable<ValidationProblem> {
	if (typeof value !== "object" || value === null || Array.isArray(value)) {
		yield wrongType(path, "a map", value);
		return;
	}
	const entries = Object.entries(value);
	if (schema.maxProperties !== undefined && entries.length > schema.maxProperties) {
		yield {
			path,
			message: `The map has ${entries.length} entries, and the CRD allows ${schema.maxProperties}`,
			hint: "Remove entries",
		};
	}
	for (const [key, item] of entries) {
		// The API server prunes a null value, or reads it as an empty one.
		if (item !== null) {
			yield* validate(item, schema.of, [...path, key]);
		}
	}
}

function* validateObject(
	value: unknown,
	schema: Extract<Schema, { type: "object" }>,
	path: Path,
): Iterable<ValidationProblem> {
	if (typeof value !== "object" || value === null || Array.isArray(value)) {
		yield wrongType(path, "a map", value);
		return;
	}
	const has = (field: string): boolean => Object.hasOwn(value, field) && fieldOf(value, field) !== null;
	for (const field of schema.required ?? []) {
		if (!has(field)) {
			yield {
				path: [...path, field],
				message: `${path.length === 0 ? "The ServiceEntry" : "This"} has no ${field}, and the CRD requires it`,
				hint: `Write ${field}`,
			};
		}
	}
	for (const [field, inner] of Object.entries(schema.fields)) {
		// The API server prunes an explicit null of a field.
		if (has(field)) {
			yield* validate(fieldOf(value, field), inner, [...path, field]);
		}
	}
}

function fieldOf(value: object, field: string): unknown {
	return (value as Record<string, unknown>)[field];
}
