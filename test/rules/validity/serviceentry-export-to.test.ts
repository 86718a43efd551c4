import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryExportTo } from "../../../src/rules/validity/serviceentry-export-to.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-export-to takes . and the own namespace for the same", () => {
	const entry = { ...plainEntry, spec: { ...plainEntry.spec, exportTo: [".", "team"] } };
	assert.deepEqual(spots(serviceentryExportTo, entry), ["error spec.exportTo[1]"]);
});

it("serviceentry-export-to refuses * and ~ beside others, and what is no namespace", () => {
	const entry = { ...plainEntry, spec: { ...plainEntry.spec, exportTo: ["*", "~", "a.b"] } };
	assert.deepEqual(spots(serviceentryExportTo, entry), [
		"error spec.exportTo[2]",
		"error spec.exportTo",
		"error spec.exportTo",
	]);
});
