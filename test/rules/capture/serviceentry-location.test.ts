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

it("serviceentry-location accepts workloads on virtual machines, and names that nobody sells", () => {
	assert.deepEqual(
		spots(
			serviceentryLocation,
			withSpec(plainEntry, {
				location: "MESH_INTERNAL",
				resolution: "STATIC",
				endpoints: [{ address: "10.0.0.5" }],
			}),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		[],
	);
});

it("serviceentry-location accepts a host of no public suffix", () => {
	assert.deepEqual(
		spots(
			serviceentryLocation,
			withSpec(plainEntry, { location: "MESH_INTERNAL", hosts: ["db.corp.internal"] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		[],
	);
});

it("serviceentry-location only warns where the entry is bound all the same", () => {
	assert.deepEqual(
		spots(
			serviceentryLocation,
			withSpec(boundEntry, { location: "MESH_INTERNAL", hosts: ["*.payments.example.com"] }),
			[teamNamespace, egressNamespace, egressWaypoint],
		),
		["warning spec.location"],
	);
});

it("serviceentry-location warns of a host on the internet that a selector stands for, unless it is bound", () => {
	const selecting = {
		location: "MESH_INTERNAL",
		resolution: "STATIC",
		workloadSelector: { labels: { app: "vm" } },
	};
	const given = [teamNamespace, egressNamespace, egressWaypoint];
	assert.deepEqual(spots(serviceentryLocation, withSpec(plainEntry, selecting), given), [
		"warning spec.location",
	]);
	assert.deepEqual(spots(serviceentryLocation, withSpec(boundEntry, selecting), given), []);
	const corporate = { ...selecting, hosts: ["vm.corp.internal"] };
	assert.deepEqual(spots(serviceentryLocation, withSpec(plainEntry, corporate), given), []);
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

it("serviceentry-location leaves machines with public addresses alone where no waypoint is passed by", () => {
	const machine = {
		location: "MESH_INTERNAL",
		hosts: ["db.corp.internal"],
		resolution: "STATIC",
		endpoints: [{ address: "198.51.100.7" }],
	};
	const world = [teamNamespace, egressNamespace, egressWaypoint];
	assert.deepEqual(spots(serviceentryLocation, withSpec(boundEntry, machine), world), []);
});
