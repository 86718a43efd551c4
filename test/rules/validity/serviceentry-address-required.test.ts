import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryAddressRequired } from "../../../src/rules/validity/serviceentry-address-required.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-address-required compares the protocol as written, as istiod does", () => {
	const entry = {
		...plainEntry,
		spec: {
			resolution: "NONE",
			ports: [
				{ number: 1, name: "a", protocol: "TCP" },
				{ number: 2, name: "b", protocol: "tcp" },
				{ number: 3, name: "c" },
			],
		},
	};
	assert.deepEqual(spots(serviceentryAddressRequired, entry), [
		"warning spec.ports[0].protocol",
		"warning spec.ports[2].protocol",
	]);
});
