import { schemaTableText } from "./schema-table.ts";

/** An expression of CEL: an operation and what it works on. */
export type Expression = readonly [operation: string, ...operands: readonly unknown[]];

/** What the API server asks of a value; other nodes are named by their place in the table, and 0 asks for nothing. */
export interface SchemaNode {
	readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
	/** A whole number or a text. */
	readonly either?: true;
	readonly format?: "int32" | "int64" | "date-time" | "byte" | "ipv4" | "ipv6";
	readonly pattern?: string;
	readonly enum?: readonly unknown[];
	readonly required?: readonly string[];
	readonly minimum?: number;
	readonly maximum?: number;
	readonly exclusiveMinimum?: boolean;
	readonly exclusiveMaximum?: boolean;
	readonly minLength?: number;
	readonly maxLength?: number;
	readonly minItems?: number;
	readonly maxItems?: number;
	readonly minProperties?: number;
	readonly maxProperties?: number;
	readonly nullable?: boolean;
	readonly default?: unknown;
	/** Whether fields may stand here that the schema does not name. */
	readonly keep?: true;
	readonly fields?: Readonly<Record<string, number>>;
	readonly item?: number;
	/** The values of a map with keys of the author's own. */
	readonly value?: number;
	/** No two items of the list are equal in these fields; none: no two are equal. */
	readonly unique?: readonly string[];
	readonly all?: readonly number[];
	readonly any?: readonly number[];
	readonly one?: readonly number[];
	readonly not?: number;
	/** What must hold of the value, and what is said where it does not. */
	readonly rules?: readonly (readonly [Expression, string])[];
}

/** A kind of the table. */
export interface SchemaRow {
	readonly namespaced: boolean;
	/** Whether the API server is built with the kind, and has no CRD for it. */
	readonly builtIn?: true;
	/** Whether it has a subresource `status`: what is written there is left out before it is judged. */
	readonly status?: true;
	readonly versions: Readonly<Record<string, number>>;
}

interface SchemaTable {
	/** By group, a slash and kind. */
	readonly kinds: Readonly<Record<string, SchemaRow>>;
	/** The node of `metadata`. */
	readonly metadata: number;
	readonly nodes: readonly (SchemaNode | 0)[];
}

let parsed: SchemaTable | undefined;

/** The schemas of the kinds that have a CRD in Istio or the Gateway API, of Service and of Namespace. */
export function schemaTable(): SchemaTable {
	parsed ??= JSON.parse(schemaTableText) as SchemaTable;
	return parsed;
}

const anything: SchemaNode = { keep: true };

/** The node at a place of the table. */
export function nodeAt(place: number | undefined): SchemaNode {
	return schemaTable().nodes[place ?? 0] || anything;
}

/** The fields of a value that has some; of any other value none. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value)
		? (value as Readonly<Record<string, unknown>>)
		: {};
}
