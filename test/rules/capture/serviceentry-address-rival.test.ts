import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryAddressRival } from "../../../src/rules/capture/serviceentry-address-rival.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-address-rival does not count the entry itself", () => {
	assert.deepEqual(
		spots(serviceentryAddressRival, withSpec(boundEntry, { addresses: ["203.0.113.99"] }), [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			withSpec(boundEntry, { addresses: ["203.0.113.99"] }),
		]),
		[],
	);
});
