import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Environment } from "@marcbachmann/cel-js";
import { parseAllDocuments } from "yaml";

/**
 * Writes src/manifests/schema-table.ts: the schema of every kind with a CRD in the Go modules that test/e2e pins, version
 * by version, and those of Service, Namespace and metadata. It is run when these modules change
 * (`node scripts/schema-table.ts`) and needs Go; a test holds the table to the modules wherever they are at hand.
 */

const root = join(import.meta.dirname, "..");
const target = join(root, "src/manifests/schema-table.ts");

interface Schema {
	readonly $ref?: string;
	readonly type?: string;
	readonly format?: string;
	readonly pattern?: string;
	readonly properties?: Readonly<Record<string, Schema>>;
	readonly items?: Schema;
	readonly additionalProperties?: Schema | boolean;
	readonly allOf?: readonly Schema[];
	readonly anyOf?: readonly Schema[];
	readonly oneOf?: readonly Schema[];
	readonly not?: Schema;
	readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
	readonly "x-kubernetes-int-or-string"?: boolean;
	readonly "x-kubernetes-list-type"?: string;
	readonly "x-kubernetes-list-map-keys"?: readonly string[];
	readonly "x-kubernetes-validations"?: readonly { readonly rule: string; readonly message?: string }[];
}

interface Definition {
	readonly kind: string;
	readonly spec: {
		readonly group: string;
		readonly scope: string;
		readonly names: { readonly kind: string };
		readonly versions: readonly {
			readonly name: string;
			readonly served: boolean;
			readonly subresources?: { readonly status?: object };
			readonly schema?: { readonly openAPIV3Schema?: Schema };
		}[];
	};
}

type Definitions = Readonly<Record<string, Schema>>;

function moduleFolder(module: string): string {
	return execFileSync("go", ["list", "-m", "-f", "{{.Dir}}", module], {
		cwd: join(root, "test/e2e/control-plane"),
		encoding: "utf8",
	}).trim();
}

/** The CRDs: Istio's, and the Gateway API's experimental channel, which has every field of the standard one. */
export function definitionTexts(): readonly string[] {
	const gateway = join(moduleFolder("sigs.k8s.io/gateway-api"), "config/crd/experimental");
	return [
		join(moduleFolder("istio.io/api"), "kubernetes/customresourcedefinitions.gen.yaml"),
		...readdirSync(gateway)
			.filter((file) => file.includes("_") && !file.includes("_vap_"))
			.map((file) => join(gateway, file)),
	].map((file) => readFileSync(file, "utf8"));
}

/** The API server's own description of the kinds that it is built with (OpenAPI 2). */
export function ownDefinitions(): Definitions {
	const file = join(moduleFolder("k8s.io/kubernetes"), "api/openapi-spec/swagger.json");
	return (JSON.parse(readFileSync(file, "utf8")) as { readonly definitions: Definitions }).definitions;
}

/** What a schema limits, in the words of JSON Schema, without what only describes. */
const kept = [
	"type",
	"enum",
	"required",
	"minimum",
	"maximum",
	"exclusiveMinimum",
	"exclusiveMaximum",
	"minLength",
	"maxLength",
	"minItems",
	"maxItems",
	"minProperties",
	"maxProperties",
	"nullable",
	"default",
] as const;

/** What else a CRD may ask for would be passed over in silence. */
const understood: ReadonlySet<string> = new Set([
	...kept,
	"$ref",
	"description",
	"title",
	"format",
	"pattern",
	"properties",
	"items",
	"additionalProperties",
	"allOf",
	"anyOf",
	"oneOf",
	"not",
	"x-kubernetes-preserve-unknown-fields",
	"x-kubernetes-int-or-string",
	"x-kubernetes-list-type",
	"x-kubernetes-list-map-keys",
	"x-kubernetes-map-type",
	"x-kubernetes-validations",
	"x-kubernetes-patch-merge-key",
	"x-kubernetes-patch-strategy",
	"x-kubernetes-group-version-kind",
]);

/** The formats that the API server checks (apiextensions-apiserver pkg/apiserver/validation/formats.go) and a CRD uses. */
const formats: ReadonlySet<string> = new Set(["int32", "int64", "date-time", "byte", "ipv4", "ipv6"]);

/** Expressions that go back without end in a backtracking engine, and the same without that. */
const linear: ReadonlyMap<string, string> = new Map([
	["^[!-~]+([\\t ]?[!-~]+)*$", "^[!-~]+([\\t ][!-~]+)*$"],
]);

/** What stands for a schema in the table: its place in the list of nodes; 0 is whatever is taken as it is. */
class Nodes {
	readonly texts: string[] = ["0"];
	readonly #places = new Map<string, number>();
	readonly #definitions: Definitions;

	constructor(definitions: Definitions) {
		this.#definitions = definitions;
	}

	add(schema: Schema): number {
		const text = this.#textOf(this.#resolve(schema));
		const place = this.#places.get(text);
		if (place !== undefined) {
			return place;
		}
		this.#places.set(text, this.texts.length);
		return this.texts.push(text) - 1;
	}

	#resolve(schema: Schema): Schema {
		const name = schema.$ref?.replace("#/definitions/", "");
		if (name === undefined) {
			return schema;
		}
		const found = this.#definitions[name] ?? {};
		// What an API server sets by itself is not described further.
		return name.endsWith(".FieldsV1") ? { "x-kubernetes-preserve-unknown-fields": true } : found;
	}

	#textOf(schema: Schema): string {
		const unknown = Object.keys(schema).find((word) => !understood.has(word));
		if (unknown !== undefined) {
			throw new Error(`a schema says ${unknown}, which src/manifests/schema.ts does not know`);
		}
		const list = (schemas: readonly Schema[] | undefined): readonly number[] | undefined =>
			schemas?.map((each) => this.add(each));
		const { format = "", pattern, additionalProperties } = schema;
		const isEither = schema["x-kubernetes-int-or-string"] === true || format === "int-or-string";
		const listType = schema["x-kubernetes-list-type"];
		return JSON.stringify({
			...Object.fromEntries(kept.map((word) => [word, (schema as Record<string, unknown>)[word]])),
			...(isEither ? { type: undefined, either: true } : {}),
			format: formats.has(format) ? format : undefined,
			pattern: pattern === undefined ? undefined : (linear.get(pattern) ?? pattern),
			keep: schema["x-kubernetes-preserve-unknown-fields"],
			fields:
				schema.properties === undefined
					? undefined
					: Object.fromEntries(
							Object.entries(schema.properties).map(([name, inner]) => [name, this.add(inner)]),
						),
			item: schema.items === undefined ? undefined : this.add(schema.items),
			value: typeof additionalProperties === "object" ? this.add(additionalProperties) : undefined,
			unique: listType === "set" ? [] : listType === "map" ? schema["x-kubernetes-list-map-keys"] : undefined,
			all: list(schema.allOf),
			any: list(schema.anyOf),
			one: list(schema.oneOf),
			not: schema.not === undefined ? undefined : this.add(schema.not),
			// A rule about what was there before cannot refuse what is new.
			rules: schema["x-kubernetes-validations"]
				?.filter(({ rule }) => !rule.includes("oldSelf"))
				.map(({ rule, message }) => [compile(rule), message ?? `this must hold: ${rule}`]),
		});
	}
}

const environment = new Environment({});

/** An expression of CEL as lists: first the operation, then what it works on. */
function compile(rule: string): unknown {
	return asLists(environment.parse(rule).ast);
}

function asLists(node: unknown): unknown {
	if (typeof node === "bigint") {
		return Number(node);
	}
	if (Array.isArray(node)) {
		return node.map(asLists);
	}
	if (typeof node !== "object" || node === null) {
		return node;
	}
	const { op, args } = node as { readonly op: string; readonly args: unknown };
	switch (op) {
		case "id":
		case "value":
			return [op, asLists(args)];
		case ".": {
			const [of, field] = args as readonly [unknown, string];
			// How CEL spells the names of fields that are words of its own (kubernetes.io, CEL in Kubernetes, escaping).
			return [op, asLists(of), field.replace(/^__(namespace|in|as|package|import|if|for)__$/, "$1")];
		}
		case "call": {
			const [name, of] = args as readonly [string, readonly unknown[]];
			return [name, ...of.map(asLists)];
		}
		case "rcall": {
			const [name, self, of] = args as readonly [string, unknown, readonly unknown[]];
			return [name, asLists(self), ...of.map(asLists)];
		}
		case "!_":
			return [op, asLists(args)];
		default:
			return [op, ...(args as readonly unknown[]).map(asLists)];
	}
}

/** The file's text, from the texts of CRDs and from the API server's own definitions. */
export function renderSchemaTable(texts: readonly string[], definitions: Definitions): string {
	const nodes = new Nodes(definitions);
	const kinds: [string, string][] = ["Namespace", "Service"].map((kind) => {
		const {
			apiVersion: _,
			kind: __,
			metadata: ___,
			...own
		} = propertiesOf(definitions[`io.k8s.api.core.v1.${kind}`]);
		return [
			`/${kind}`,
			`{"namespaced":${kind !== "Namespace"},"builtIn":true,"versions":{"v1":${nodes.add({ type: "object", properties: own })}}}`,
		];
	});
	for (const document of texts.flatMap((text) => [...parseAllDocuments(text)])) {
		const definition = document.toJS() as Definition | null;
		if (definition?.kind !== "CustomResourceDefinition") {
			continue;
		}
		const { group, names, scope, versions } = definition.spec;
		const served = versions.filter((version) => version.served);
		const places = served.map(({ name, schema }) => {
			const { apiVersion: _, kind: __, metadata: ___, ...own } = propertiesOf(schema?.openAPIV3Schema);
			return `${JSON.stringify(name)}:${nodes.add({ ...schema?.openAPIV3Schema, properties: own })}`;
		});
		const hasStatus = served.every(({ subresources }) => subresources?.status !== undefined);
		kinds.push([
			`${group}/${names.kind}`,
			`{"namespaced":${scope === "Namespaced"},${hasStatus ? '"status":true,' : ""}"versions":{${places.join(",")}}}`,
		]);
	}
	const metadata = nodes.add({ $ref: "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" });
	const rows = kinds
		.toSorted(([one], [other]) => (one < other ? -1 : 1))
		.map(([name, row]) => `${JSON.stringify(name)}:${row}`);
	const text = `{"kinds":{${rows.join(",")}},"metadata":${metadata},"nodes":[${nodes.texts.join(",")}]}`;
	return [
		"// Generated by `node scripts/schema-table.ts` from the CRDs of Istio and the Gateway API. Do not edit.",
		"",
		"/** JSON: `SchemaTable` of schema.ts. */",
		"export const schemaTableText: string =",
		`\t'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}';`,
		"",
	].join("\n");
}

function propertiesOf(schema: Schema | undefined): Readonly<Record<string, Schema>> {
	return schema?.properties ?? {};
}

if (import.meta.main) {
	writeFileSync(target, renderSchemaTable(definitionTexts(), ownDefinitions()));
}
