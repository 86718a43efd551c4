import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { definitionTexts, ownDefinitions, renderSchemaTable } from "../../scripts/schema-table.ts";
import { refusedObjects, takenObject } from "../support/refused-objects.ts";
import { useControlPlane } from "./shared.ts";

const plane = await useControlPlane();

describe("what lint says that the API server refuses", () => {
	test("is what it refuses", async () => {
		const taken = await plane.kubectl(["create", "--dry-run=server", "--filename=-"], { stdin: takenObject });
		assert.equal(taken.code, 0, taken.stderr);
		for (const { what, text } of refusedObjects) {
			const { code, stdout, stderr } = await plane.kubectl(["create", "--dry-run=server", "--filename=-"], {
				stdin: text,
			});
			assert.notEqual(code, 0, `${what}: ${stdout}${stderr}`);
		}
	});

	test("rests on the schemas of the pinned modules", () => {
		const file = join(import.meta.dirname, "../../src/manifests/schema-table.ts");
		assert.equal(readFileSync(file, "utf8"), renderSchemaTable(definitionTexts(), ownDefinitions()));
	});
});
