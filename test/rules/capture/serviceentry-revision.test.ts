import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryRevision } from "../../../src/rules/capture/serviceentry-revision.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-revision refuses an empty revision", () => {
	assert.deepEqual(
		spots(serviceentryRevision, withLabels(boundEntry, { "istio.io/rev": "" }), [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
		]),
		['error metadata.labels["istio.io/rev"]'],
	);
});
