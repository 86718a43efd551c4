import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryWaypointCanary } from "../../../src/rules/binding/serviceentry-waypoint-canary.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

const world = [teamNamespace, egressNamespace, egressWaypoint];
const spot = 'warning metadata.labels["istio.io/use-waypoint-canary"]';

it("serviceentry-waypoint-canary reports a canary that is missing, or the waypoint itself", () => {
	const missing = withLabels(boundEntry, { "istio.io/use-waypoint-canary": "next" });
	assert.deepEqual(spots(serviceentryWaypointCanary, missing, world), [spot]);
	const same = withLabels(boundEntry, {
		"istio.io/use-waypoint-canary": "egress",
		"istio.io/use-waypoint-canary-namespace": "istio-egress",
	});
	assert.deepEqual(spots(serviceentryWaypointCanary, same, world), [spot]);
});

it("serviceentry-waypoint-canary reports a canary without a waypoint beside it, and takes none and nothing for no canary", () => {
	const alone = withLabels(plainEntry, { "istio.io/use-waypoint-canary": "next" });
	assert.deepEqual(spots(serviceentryWaypointCanary, alone), [spot]);
	for (const value of ["", "none"]) {
		const entry = withLabels(plainEntry, { "istio.io/use-waypoint-canary": value });
		assert.deepEqual(spots(serviceentryWaypointCanary, entry), []);
	}
});
