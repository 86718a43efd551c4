import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryAddressReading } from "../../../src/rules/capture/serviceentry-address-reading.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-address-reading warns of zones and host bits, in IPv6 too", () => {
	assert.deepEqual(
		spots(
			serviceentryAddressReading,
			withSpec(boundEntry, {
				resolution: "NONE",
				addresses: ["fe80::1%eth0", "2001:db8::1/32", "203.0.113.0/24"],
			}),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["warning spec.addresses[0]", "warning spec.addresses[1]"],
	);
});

it("serviceentry-address-reading refuses what only the validation can read", () => {
	assert.deepEqual(
		spots(
			serviceentryAddressReading,
			withSpec(boundEntry, { resolution: "NONE", addresses: ["fe80::1%a/b/c"] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["error spec.addresses[0]"],
	);
});
