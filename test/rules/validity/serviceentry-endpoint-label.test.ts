import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryEndpointLabel } from "../../../src/rules/validity/serviceentry-endpoint-label.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-endpoint-label does not look at the length of a value, as istiod does not", () => {
	const entry = {
		...plainEntry,
		spec: {
			resolution: "STATIC",
			endpoints: [{ address: "1.2.3.4", labels: { a: "v".repeat(64), "example.com/b": "" } }],
		},
	};
	assert.deepEqual(spots(serviceentryEndpointLabel, entry), []);
});

it("serviceentry-endpoint-label refuses keys without a name", () => {
	const entry = {
		...plainEntry,
		spec: { resolution: "STATIC", endpoints: [{ address: "1.2.3.4", labels: { "example.com/": "x" } }] },
	};
	assert.deepEqual(spots(serviceentryEndpointLabel, entry), [
		'error spec.endpoints[0].labels["example.com/"]',
	]);
});
