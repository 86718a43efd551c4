import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { fieldsOf, leavesOf, textOf } from "../../src/migrate/fields.ts";
import { features, makeBundle } from "../support/generated-bundles.ts";
import { findControlPlane } from "./binaries.ts";

/** Fields of the CRDs that no generated bundle has, with the reason. */
const never: Readonly<Record<string, readonly string[]>> = {
	Gateway: [],
	VirtualService: [
		// The API has them and istiod passes over them, or refuses them.
		"spec.http[].fault.abort.http2Error",
		"spec.http[].fault.delay.exponentialDelay",
		"spec.http[].redirect.prefixRewrite",
	],
	DestinationRule: [],
	ServiceEntry: [],
	AuthorizationPolicy: [
		// A provider has to be in the mesh configuration.
		"spec.provider.name",
		// What a policy of these gateways has is a selector; the Gateway API's have targets in tests of their own.
		"spec.targetRef.group",
		"spec.targetRef.kind",
		"spec.targetRef.name",
		"spec.targetRef.namespace",
		"spec.targetRefs[].group",
		"spec.targetRefs[].kind",
		"spec.targetRefs[].name",
		"spec.targetRefs[].namespace",
	],
};

/** The fields of a schema that have no fields of their own. */
function fieldsOfSchema(schema: unknown, path: string): readonly string[] {
	const { properties, items } = fieldsOf(schema);
	if (properties !== undefined) {
		return Object.entries(fieldsOf(properties)).flatMap(([name, each]) =>
			fieldsOfSchema(each, `${path}.${name}`),
		);
	}
	return items === undefined ? [path] : fieldsOfSchema(items, `${path}[]`);
}

/** The fields that generated bundles have, by kind. */
function generatedFields(): ReadonlyMap<string, ReadonlySet<string>> {
	const found = new Map<string, Set<string>>();
	for (const feature of features) {
		for (const base of feature.bases) {
			for (const { kind, spec } of makeBundle("way", base, [feature]).objects) {
				const own = found.get(String(kind)) ?? new Set();
				found.set(String(kind), own);
				for (const path of leavesOf({ spec })) {
					own.add(
						path
							.map((step) => (typeof step === "number" ? "[]" : `.${step}`))
							.join("")
							.slice(1),
					);
				}
			}
		}
	}
	return found;
}

test("generated bundles have every field of the kinds of a way out, but for those that are listed here", async () => {
	const { istioCrds } = await findControlPlane();
	const documents = parseAllDocuments(readFileSync(istioCrds, "utf8"));
	const crds = documents.map((each) => fieldsOf(fieldsOf(each.toJS()).spec));
	const generated = generatedFields();
	for (const [kind, expected] of Object.entries(never)) {
		const crd = crds.find(
			({ names, group }) => fieldsOf(names).kind === kind && textOf(group)?.endsWith(".istio.io"),
		);
		const versions = Array.isArray(crd?.versions) ? crd.versions.map(fieldsOf) : [];
		const schema = fieldsOf(versions.find(({ name }) => name === "v1")?.schema).openAPIV3Schema;
		const all = fieldsOfSchema(fieldsOf(fieldsOf(schema).properties).spec, "spec");
		assert.ok(all.length > 10, `${kind} has a schema`);
		const own = [...(generated.get(kind) ?? [])];
		const missing = all.filter(
			(field) =>
				!own.some((each) => each === field || each.startsWith(`${field}.`) || each.startsWith(`${field}[`)),
		);
		assert.deepEqual(missing.toSorted(), expected.toSorted(), kind);
	}
});
