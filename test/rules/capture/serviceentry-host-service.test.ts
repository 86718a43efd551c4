import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryHostService } from "../../../src/rules/capture/serviceentry-host-service.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	exampleService,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

const alias = {
	...exampleService("alias", "team", "None"),
	spec: { type: "ExternalName", externalName: "www.example.com" },
};

it("serviceentry-host-service does not count ExternalName Services, nor Services that do not exist", () => {
	assert.deepEqual(
		spots(
			serviceentryHostService,
			withSpec(boundEntry, { hosts: ["alias.team.svc.cluster.local", "none.team.svc.cluster.local"] }),
			[teamNamespace, egressNamespace, egressWaypoint, alias],
		),
		[],
	);
});

it("serviceentry-host-service reports a Service of another namespace", () => {
	assert.deepEqual(
		spots(serviceentryHostService, withSpec(boundEntry, { hosts: ["orders.shop.svc.cluster.local"] }), [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			exampleService("orders", "shop", "10.96.0.9"),
		]),
		["error spec.hosts[0]"],
	);
});
