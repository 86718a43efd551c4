import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryAddressService } from "../../../src/rules/capture/serviceentry-address-service.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	exampleService,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-address-service reports the address of one Service", () => {
	assert.deepEqual(
		spots(serviceentryAddressService, withSpec(boundEntry, { addresses: ["10.96.7.7"] }), [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			exampleService("orders", "shop", "10.96.7.7"),
		]),
		["error spec.addresses[0]"],
	);
});
