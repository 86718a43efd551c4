import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryHostSpelling } from "../../../src/rules/capture/serviceentry-host-spelling.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-host-spelling reports a final dot and leaves names that are none to other rules", () => {
	assert.deepEqual(
		spots(
			serviceentryHostSpelling,
			withSpec(boundEntry, { hosts: ["a.example.com.", "Bad_Name.example.com", "*.EXAMPLE.com"] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["warning spec.hosts[0]", "warning spec.hosts[2]"],
	);
});
