import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryDynamicDnsWaypoint } from "../../../src/rules/capture/serviceentry-dynamic-dns-waypoint.ts";
import {
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-dynamic-dns-waypoint only warns where ambient is not enforced", () => {
	assert.deepEqual(
		spots(
			serviceentryDynamicDnsWaypoint,
			withSpec(plainEntry, { hosts: ["*.a.example.com"], resolution: "DYNAMIC_DNS" }),
		),
		["warning spec.resolution"],
	);
});

it("serviceentry-dynamic-dns-waypoint trusts the policy to bind the entry", () => {
	assert.deepEqual(
		spots(
			serviceentryDynamicDnsWaypoint,
			withSpec(plainEntry, { hosts: ["*.a.example.com"], resolution: "DYNAMIC_DNS" }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		[],
	);
});
