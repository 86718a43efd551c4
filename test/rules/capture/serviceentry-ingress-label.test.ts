import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryIngressLabel } from "../../../src/rules/capture/serviceentry-ingress-label.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

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
