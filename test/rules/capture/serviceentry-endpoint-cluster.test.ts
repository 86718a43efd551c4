import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryEndpointCluster } from "../../../src/rules/capture/serviceentry-endpoint-cluster.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	exampleService,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-endpoint-cluster reports the address of a Service", () => {
	assert.deepEqual(
		spots(
			serviceentryEndpointCluster,
			withSpec(boundEntry, {
				resolution: "STATIC",
				endpoints: [{ address: "10.96.0.9" }, { address: "10.0.0.1" }],
			}),
			[teamNamespace, egressNamespace, egressWaypoint, exampleService("proxy", "shop", "10.96.0.9")],
		),
		["error spec.endpoints[0].address"],
	);
});

it("serviceentry-endpoint-cluster leaves MESH_INTERNAL, sockets and egress gateways to others", () => {
	assert.deepEqual(
		spots(
			serviceentryEndpointCluster,
			withSpec(boundEntry, {
				endpoints: [{ address: "istio-egressgateway.istio-system.svc.cluster.local" }],
			}),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		[],
	);
});
