import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryPortSniffing } from "../../../src/rules/capture/serviceentry-port-sniffing.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-port-sniffing takes an empty protocol for none", () => {
	assert.deepEqual(
		spots(
			serviceentryPortSniffing,
			withSpec(boundEntry, { ports: [{ number: 443, name: "tls", protocol: "" }] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["warning spec.ports[0].protocol"],
	);
});
