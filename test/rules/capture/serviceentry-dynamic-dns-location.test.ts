import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryDynamicDnsLocation } from "../../../src/rules/capture/serviceentry-dynamic-dns-location.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-dynamic-dns-location leaves an entry with a label of its own to the validity rules", () => {
	assert.deepEqual(
		spots(
			serviceentryDynamicDnsLocation,
			withSpec(boundEntry, {
				hosts: ["*.a.example.com"],
				resolution: "DYNAMIC_DNS",
				location: "MESH_INTERNAL",
			}),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		[],
	);
});
