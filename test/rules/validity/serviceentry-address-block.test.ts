import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryAddressBlock } from "../../../src/rules/validity/serviceentry-address-block.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-address-block accepts blocks where the resolution is NONE or absent", () => {
	const entry = { ...plainEntry, spec: { addresses: ["203.0.113.0/24"], resolution: null } };
	assert.deepEqual(spots(serviceentryAddressBlock, entry), []);
});

it("serviceentry-address-block names the first block only", () => {
	const entry = {
		...plainEntry,
		spec: { addresses: ["203.0.113.1", "203.0.113.0/24", "198.51.100.0/24"], resolution: "DNS" },
	};
	assert.deepEqual(spots(serviceentryAddressBlock, entry), ["error spec.addresses[1]"]);
});
