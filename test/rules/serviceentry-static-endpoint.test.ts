import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry, withSpec } from "../../src/istio/examples.ts";
import { serviceentryStaticEndpoint } from "../../src/rules/serviceentry-static-endpoint.ts";
import { spots } from "../support/spots.ts";

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
