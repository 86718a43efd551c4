import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryHostAddress } from "../../../src/rules/capture/serviceentry-host-address.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-host-address asks for no address where nobody wants a waypoint", () => {
	assert.deepEqual(spots(serviceentryHostAddress, withSpec(plainEntry, { resolution: "NONE" })), []);
});

it("serviceentry-host-address knows NONE from an absent resolution, and the label that forbids allocation in any case", () => {
	assert.deepEqual(
		spots(
			serviceentryHostAddress,
			withLabels(boundEntry, { "networking.istio.io/enable-autoallocate-ip": "FALSE" }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		['error metadata.labels["networking.istio.io/enable-autoallocate-ip"]'],
	);
});

it("serviceentry-host-address accepts listed addresses", () => {
	assert.deepEqual(
		spots(
			serviceentryHostAddress,
			withSpec(boundEntry, { resolution: "NONE", addresses: ["203.0.113.0/24"] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		[],
	);
});

it("serviceentry-host-address reports an entry that only the policy wants bound", () => {
	assert.deepEqual(
		spots(serviceentryHostAddress, withSpec(plainEntry, { resolution: null }), [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
		]),
		["error spec.resolution"],
	);
});
