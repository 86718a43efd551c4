import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryExportScope } from "../../../src/rules/capture/serviceentry-export-scope.ts";
import { plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-export-scope is silent about * and where ambient is not enforced", () => {
	assert.deepEqual(spots(serviceentryExportScope, withSpec(plainEntry, { exportTo: ["."] })), []);
});
