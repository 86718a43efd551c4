import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryHostPublicSuffix } from "../../../src/rules/capture/serviceentry-host-public-suffix.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-host-public-suffix warns of suffixes that companies let to customers", () => {
	assert.deepEqual(
		spots(serviceentryHostPublicSuffix, withSpec(boundEntry, { hosts: ["*.github.io"] }), [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
		]),
		["warning spec.hosts[0]"],
	);
});

it("serviceentry-host-public-suffix refuses a partial wildcard that reaches into other domains, and only such a one", () => {
	assert.deepEqual(
		spots(
			serviceentryHostPublicSuffix,
			withSpec(boundEntry, { hosts: ["*payments.example.com", "*-eu.payments.example.com", "*example.com"] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["error spec.hosts[2]"],
	);
});
