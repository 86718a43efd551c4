import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryPortUdp } from "../../../src/rules/capture/serviceentry-port-udp.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-port-udp reads the protocol in any case", () => {
	assert.deepEqual(
		spots(
			serviceentryPortUdp,
			withSpec(boundEntry, { ports: [{ number: 53, name: "dns", protocol: "udp" }] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["error spec.ports[0].protocol"],
	);
});

it("serviceentry-port-udp is silent where no waypoint is wanted", () => {
	assert.deepEqual(
		spots(
			serviceentryPortUdp,
			withSpec(plainEntry, { ports: [{ number: 53, name: "dns", protocol: "UDP" }] }),
		),
		[],
	);
});
