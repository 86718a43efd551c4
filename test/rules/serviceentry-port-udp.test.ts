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
import { serviceentryPortUdp } from "../../src/rules/serviceentry-port-udp.ts";
import { spots } from "../support/spots.ts";

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
