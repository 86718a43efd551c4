import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryPortName } from "../../../src/rules/validity/serviceentry-port-name.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-port-name refuses bad names and names used twice", () => {
	const entry = {
		...plainEntry,
		spec: {
			ports: [
				{ number: 1, name: "A-1" },
				{ number: 2, name: "" },
				{ number: 3, name: "A-1" },
			],
		},
	};
	assert.deepEqual(spots(serviceentryPortName, entry), [
		"error spec.ports[1].name",
		"error spec.ports[2].name",
	]);
});
