import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryHostCluster } from "../../../src/rules/capture/serviceentry-host-cluster.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-host-cluster only warns of a name without a dot", () => {
	assert.deepEqual(
		spots(
			serviceentryHostCluster,
			withSpec(boundEntry, { hosts: ["payments", "localhost", "api.payments.example.com"] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["warning spec.hosts[0]", "error spec.hosts[1]"],
	);
});

it("serviceentry-host-cluster leaves MESH_INTERNAL alone", () => {
	assert.deepEqual(
		spots(
			serviceentryHostCluster,
			withSpec(boundEntry, { hosts: ["vm.team.svc.cluster.local"], location: "MESH_INTERNAL" }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		[],
	);
});
