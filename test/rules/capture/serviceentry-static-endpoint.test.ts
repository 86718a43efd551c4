import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryStaticEndpoint } from "../../../src/rules/capture/serviceentry-static-endpoint.ts";
import { plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-static-endpoint accepts a selector", () => {
	assert.deepEqual(
		spots(
			serviceentryStaticEndpoint,
			withSpec(plainEntry, { resolution: "STATIC", workloadSelector: { labels: { app: "a" } } }),
		),
		[],
	);
});

it("serviceentry-static-endpoint reports an empty list", () => {
	assert.deepEqual(
		spots(serviceentryStaticEndpoint, withSpec(plainEntry, { resolution: "STATIC", endpoints: [] })),
		["error spec.endpoints"],
	);
});
