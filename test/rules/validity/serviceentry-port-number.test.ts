import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryPortNumber } from "../../../src/rules/validity/serviceentry-port-number.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-port-number accepts the ends of the range", () => {
	const entry = {
		...plainEntry,
		spec: {
			ports: [
				{ number: 1, name: "a" },
				{ number: 65535, name: "b", targetPort: 1 },
			],
		},
	};
	assert.deepEqual(spots(serviceentryPortNumber, entry), []);
});

it("serviceentry-port-number refuses numbers out of range and numbers used twice", () => {
	const entry = {
		...plainEntry,
		spec: {
			ports: [
				{ number: 0, name: "a" },
				{ number: 65536, name: "b", targetPort: -1 },
				{ number: 0, name: "c" },
			],
		},
	};
	assert.deepEqual(spots(serviceentryPortNumber, entry), [
		"error spec.ports[0].number",
		"error spec.ports[1].number",
		"error spec.ports[1].targetPort",
		"error spec.ports[2].number",
		"error spec.ports[2].number",
	]);
});
