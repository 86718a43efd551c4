import assert from "node:assert/strict";
import { it } from "node:test";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../src/istio/examples.ts";
import { serviceentryLocation } from "../../src/rules/serviceentry-location.ts";
import { spots } from "../support/spots.ts";

it("serviceentry-location accepts workloads on virtual machines, and names that nobody sells", () => {
	assert.deepEqual(
		spots(
			serviceentryLocation,
			withSpec(plainEntry, {
				location: "MESH_INTERNAL",
				resolution: "STATIC",
				endpoints: [{ address: "10.0.0.5" }],
			}),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		[],
	);
});

it("serviceentry-location accepts a host of no public suffix", () => {
	assert.deepEqual(
		spots(
			serviceentryLocation,
			withSpec(plainEntry, { location: "MESH_INTERNAL", hosts: ["db.corp.internal"] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		[],
	);
});

it("serviceentry-location only warns where the entry is bound all the same", () => {
	assert.deepEqual(
		spots(
			serviceentryLocation,
			withSpec(boundEntry, { location: "MESH_INTERNAL", hosts: ["*.payments.example.com"] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["warning spec.location"],
	);
});
