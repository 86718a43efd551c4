import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentrySelectorLocation } from "../../../src/rules/capture/serviceentry-selector-location.ts";
import { plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-selector-location takes an absent location for MESH_EXTERNAL", () => {
	assert.deepEqual(
		spots(serviceentrySelectorLocation, withSpec(plainEntry, { location: null, workloadSelector: {} })),
		["warning spec.workloadSelector"],
	);
});
