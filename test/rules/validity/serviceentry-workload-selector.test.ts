import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryWorkloadSelector } from "../../../src/rules/validity/serviceentry-workload-selector.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-workload-selector warns of a selector that selects everything", () => {
	const entry = { ...plainEntry, spec: { ...plainEntry.spec, workloadSelector: {} } };
	assert.deepEqual(spots(serviceentryWorkloadSelector, entry), ["warning spec.workloadSelector"]);
});

it("serviceentry-workload-selector warns of a selector that has no effect", () => {
	const entry = {
		...plainEntry,
		spec: { ...plainEntry.spec, resolution: "NONE", workloadSelector: { labels: { app: "a" } } },
	};
	assert.deepEqual(spots(serviceentryWorkloadSelector, entry), ["warning spec.workloadSelector"]);
});

it("serviceentry-workload-selector refuses an empty key and a wildcard in a key", () => {
	const entry = {
		...plainEntry,
		spec: { ...plainEntry.spec, workloadSelector: { labels: { "": "x", "a*": "y" } } },
	};
	assert.deepEqual(spots(serviceentryWorkloadSelector, entry), [
		'error spec.workloadSelector.labels[""]',
		'error spec.workloadSelector.labels["a*"]',
	]);
});
