import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryPortList } from "../../../src/rules/capture/serviceentry-port-list.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-port-list takes absent ports for none", () => {
	assert.deepEqual(
		spots(serviceentryPortList, withSpec(boundEntry, { ports: null }), [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
		]),
		["error spec.ports"],
	);
});
