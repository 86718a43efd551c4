import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryEndpointPort } from "../../../src/rules/validity/serviceentry-endpoint-port.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-endpoint-port refuses names of 63 characters, which istiod alone would take", () => {
	const entry = {
		...plainEntry,
		spec: {
			resolution: "STATIC",
			ports: [{ number: 1, name: "a".repeat(63) }],
			endpoints: [{ address: "1.2.3.4", ports: { ["a".repeat(63)]: 1 } }],
		},
	};
	assert.deepEqual(spots(serviceentryEndpointPort, entry), [
		`error spec.endpoints[0].ports.${"a".repeat(63)}`,
	]);
});

it("serviceentry-endpoint-port refuses numbers out of range", () => {
	const entry = {
		...plainEntry,
		spec: {
			resolution: "STATIC",
			ports: [{ number: 1, name: "a" }],
			endpoints: [{ address: "1.2.3.4", ports: { a: 0 } }],
		},
	};
	assert.deepEqual(spots(serviceentryEndpointPort, entry), ["error spec.endpoints[0].ports.a"]);
});
