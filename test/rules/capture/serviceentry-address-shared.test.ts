import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryAddressShared } from "../../../src/rules/capture/serviceentry-address-shared.ts";
import { plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-address-shared is silent where no waypoint is wanted", () => {
	assert.deepEqual(
		spots(
			serviceentryAddressShared,
			withSpec(plainEntry, { hosts: ["a.example.com", "b.example.com"], addresses: ["203.0.113.1"] }),
		),
		[],
	);
});
