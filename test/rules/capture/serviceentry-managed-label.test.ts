import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryManagedLabel } from "../../../src/rules/capture/serviceentry-managed-label.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-managed-label is silent about controllers without a meaning for waypoints", () => {
	assert.deepEqual(
		spots(
			serviceentryManagedLabel,
			withLabels(boundEntry, { "gateway.istio.io/managed": "istio.io-gateway-controller" }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		[],
	);
});
