import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryLocation } from "../../../src/rules/capture/serviceentry-location.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";
import { testRule } from "../../support/test-rule.ts";

const selecting = {
	location: "MESH_INTERNAL",
	resolution: "STATIC",
	workloadSelector: { labels: { app: "vm" } },
};
const given = [teamNamespace, egressNamespace, egressWaypoint];

testRule(serviceentryLocation, {
	"accepts workloads on virtual machines, and names that nobody sells": {
		object: withSpec(plainEntry, {
			location: "MESH_INTERNAL",
			resolution: "STATIC",
			endpoints: [{ address: "10.0.0.5" }],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: [],
	},
	"accepts a host of no public suffix": {
		object: withSpec(plainEntry, { location: "MESH_INTERNAL", hosts: ["db.corp.internal"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: [],
	},
	"only warns where the entry is bound all the same": {
		object: withSpec(boundEntry, { location: "MESH_INTERNAL", hosts: ["*.payments.example.com"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["warning spec.location"],
	},
	"warns of a host on the internet that a selector stands for, unless it is bound": [
		{ object: withSpec(plainEntry, selecting), given, finds: ["warning spec.location"] },
		{ object: withSpec(boundEntry, selecting), given, finds: [] },
		{ object: withSpec(plainEntry, { ...selecting, hosts: ["vm.corp.internal"] }), given, finds: [] },
	],
	"leaves machines with public addresses alone where no waypoint is passed by": {
		object: withSpec(boundEntry, {
			location: "MESH_INTERNAL",
			hosts: ["db.corp.internal"],
			resolution: "STATIC",
			endpoints: [{ address: "198.51.100.7" }],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: [],
	},
});

it("serviceentry-location looks at endpoints and addresses too, whatever the host is called", () => {
	const spotsOf = (spec: object): readonly string[] =>
		spots(
			serviceentryLocation,
			withSpec(plainEntry, { location: "MESH_INTERNAL", hosts: ["db.corp.internal"], ...spec }),
			[teamNamespace, egressNamespace, egressWaypoint],
		);
	const endpoint = (address: string): object => ({
		resolution: "STATIC",
		endpoints: [{ address: "10.0.0.5" }, { address }],
	});
	const error = ["error spec.location"];
	assert.deepEqual(spotsOf(endpoint("198.51.100.7")), error);
	assert.deepEqual(spotsOf(endpoint("2001:db8::7")), error);
	assert.deepEqual(spotsOf({ resolution: "DNS", endpoints: [{ address: "paste.example.com" }] }), error);
	assert.deepEqual(spotsOf({ resolution: "NONE", addresses: ["198.51.100.0/24"] }), error);
	assert.deepEqual(spotsOf(endpoint("192.168.1.7")), []);
	assert.deepEqual(spotsOf(endpoint("127.0.0.1")), []);
	assert.deepEqual(spotsOf(endpoint("unix:///run/db.sock")), []);
	assert.deepEqual(
		spotsOf({ resolution: "STATIC", addresses: ["198.51.100.0/24"], endpoints: [{ address: "10.0.0.5" }] }),
		[],
	);
});
