import assert from "node:assert/strict";
import { it } from "node:test";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
} from "../../src/istio/examples.ts";
import { serviceentryIngressLabel } from "../../src/rules/serviceentry-ingress-label.ts";
import { spots } from "../support/spots.ts";

it("serviceentry-ingress-label reads what Go's ParseBool reads", () => {
	assert.deepEqual(
		spots(serviceentryIngressLabel, withLabels(boundEntry, { "istio.io/ingress-use-waypoint": "T" }), [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
		]),
		[],
	);
});
