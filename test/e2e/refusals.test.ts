import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { definitionTexts, ownDefinitions, renderSchemaTable } from "../../scripts/schema-table.ts";
import { refusedObjects, takenObjects } from "../support/refused-objects.ts";
import { useControlPlane } from "./shared.ts";

const plane = await useControlPlane();

describe("what lint says that the API server refuses", () => {
	test("is what it refuses", async () => {
		const taken = await plane.kubectl(["create", "--dry-run=server", "--filename=-"], {
			stdin: takenObjects.join("---\n"),
		});
		assert.equal(taken.code, 0, taken.stderr);
		const directive = { what: "a directive", text: `%YAML 1.1\n---\n${takenObjects[0]}` };
		for (const { what, text } of [directive, ...refusedObjects]) {
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
