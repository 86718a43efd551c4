import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry, withSpec } from "../../src/istio/examples.ts";
import { serviceentryExportScope } from "../../src/rules/serviceentry-export-scope.ts";
import { spots } from "../support/spots.ts";

it("serviceentry-export-scope is silent about * and where ambient is not enforced", () => {
	assert.deepEqual(spots(serviceentryExportScope, withSpec(plainEntry, { exportTo: ["."] })), []);
});
