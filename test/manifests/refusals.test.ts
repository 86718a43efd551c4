import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseManifests } from "../../src/manifests/read.ts";
import { refusalsOf } from "../../src/manifests/refusals.ts";
import { rules } from "../../src/rules/table.ts";
import { refusedObjects, takenObject, takenObjects } from "../support/refused-objects.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();

function refusals(text: string): readonly string[] {
	return parseManifests(text, "a.yaml").manifests.flatMap((manifest) =>
		refusalsOf(manifest).map(({ message }) => message),
	);
}

describe("refusalsOf", () => {
	for (const { what, text, says } of refusedObjects) {
		it(`names ${what}`, () => {
			const found = refusals(text);
			assert.equal(found.length, 1, found.join("\n"));
			assert.match(found[0] ?? "", says);
		});
	}

	it("has nothing against what the API server takes", () => {
		for (const text of [
			...takenObjects,
			takenObject.replace("name: refused", "generateName: refused-"),
			takenObject.replace("istio.io/v1", "istio.io/v1beta1"),
			takenObject.replace(
				"  namespace: default",
				'  labels: {a.example/B_c.d: "", x: Y-z}\n  annotations: {A.Example/b: c}',
			),
			"apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: a}\nspec: {configPatches: [{patch: {value: {any: {thing: 1}}}}]}\n",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {quux: 1}\n",
			"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\nspec: {quux: 1}\n",
			"apiVersion: v2\nname: chart\nversion: 0.1.0\n",
			"apiVersion: v1\nname: chart\nversion: 0.1.0\n",
			"kind: Service\nname: of another tool\n",
			"resources: [a.yaml]\n",
			"apiVersion: networking.istio.io/v1\nkind: ServiceEntryList\nitems: []\n",
			"apiVersion: example.org/v1\nkind: Gateway\nmetadata: {name: a}\nspec: {quux: 1}\n",
		]) {
			assert.deepEqual(refusals(text), [], text);
		}
	});

	it("has nothing against the good examples of the rules", () => {
		for (const { docs } of rules) {
			assert.deepEqual(refusals(JSON.stringify(docs.good)), [], JSON.stringify(docs.good));
		}
	});

	it("names an unknown field beside what else is said of the object around it", () => {
		const [manifest] = parseManifests(
			takenObject.replace("  resolution", "  endpoints: [{adress: a.b}]\n  resolution"),
			"a.yaml",
		).manifests;
		assert.ok(manifest !== undefined);
		const found = (place: readonly (string | number)[]): readonly string[] =>
			refusalsOf(manifest, [place]).map(({ message }) => message);
		assert.match(
			found(["spec", "endpoints", 0])[0] ?? "",
			/adress: there is no such field; did you mean "address"/,
		);
		assert.deepEqual(found(["spec", "endpoints", 0, "adress"]), []);
	});

	it("names at most eight mistakes of an object", () => {
		const fields = Array.from({ length: 50 }, (_, index) => `  field${index}: 1\n`).join("");
		assert.equal(refusals(`${takenObject}${fields}`).length, 8);
	});
});

describe("waymark lint on what the API server refuses", () => {
	it("ends with 65 and the line", async () => {
		const file = folder.write("a.yaml", refusedObjects[0]?.text ?? "");
		const { code, out } = await runVerb("lint", file);
		assert.equal(code, 65);
		assert.match(
			out,
			/a\.yaml:10 {2}unreadable\n {4}spec\.export_to: there is no such field; did you mean "exportTo"/,
		);
	});
});
