import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryWildcardResolution } from "../../../src/rules/capture/serviceentry-wildcard-resolution.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-wildcard-resolution accepts listed addresses", () => {
	assert.deepEqual(
		spots(
			serviceentryWildcardResolution,
			withSpec(boundEntry, { hosts: ["*.a.example.com"], resolution: "NONE", addresses: ["203.0.113.0/24"] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		[],
	);
});

it("serviceentry-wildcard-resolution reports each wildcard, and DYNAMIC_DNS without allocation", () => {
	assert.deepEqual(
		spots(
			serviceentryWildcardResolution,
			withLabels(withSpec(boundEntry, { hosts: ["*.a.example.com"], resolution: "DYNAMIC_DNS" }), {
				"networking.istio.io/enable-autoallocate-ip": "false",
			}),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["error spec.hosts[0]"],
	);
});
