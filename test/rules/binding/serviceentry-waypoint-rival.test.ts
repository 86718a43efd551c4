import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServiceEntry } from "../../../src/core/kinds.ts";
import { serviceentryWaypointRival as rule } from "../../../src/rules/binding/serviceentry-waypoint-rival.ts";
import { boundEntry, plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { boundTo, judge, places, surroundings, team, waypoint } from "../../support/team.ts";

function of(namespace: string, entry: ServiceEntry = boundEntry): ServiceEntry {
	return { ...entry, metadata: { ...entry.metadata, name: "maps", namespace } };
}

function beside(...others: readonly ServiceEntry[]): { readonly given: readonly object[] } {
	return { given: [team(), ...surroundings, ...others] };
}

const first = ["error spec.hosts[0]"];

describe("serviceentry-waypoint-rival", () => {
	it("serviceentry-waypoint-rival refuses a host that another namespace sends through the same waypoint", () => {
		assert.deepEqual(places(rule, boundEntry, beside(of("billing")) as never), first);
		const [finding] = judge(rule, boundEntry, beside(of("billing")) as never);
		assert.match(finding?.message ?? "", /^ServiceEntry billing\/maps sends "api.payments.example.com"/);
	});

	it("serviceentry-waypoint-rival refuses it before the labels are there, too", () => {
		assert.deepEqual(places(rule, plainEntry, beside(of("billing")) as never), first);
	});

	it("serviceentry-waypoint-rival names each host of lists that overlap, in any spelling", () => {
		const many = withSpec(boundEntry, { hosts: ["a.example.com", "API.payments.example.com."] });
		assert.deepEqual(places(rule, many, beside(of("billing")) as never), ["error spec.hosts[1]"]);
	});

	it("serviceentry-waypoint-rival accepts its own namespace, another waypoint, and entries without one", () => {
		assert.deepEqual(places(rule, boundEntry, beside(of("team")) as never), []);
		assert.deepEqual(places(rule, boundEntry, beside(of("billing", plainEntry)) as never), []);
		const own = boundTo("billing/own", plainEntry);
		const given = [team(), ...surroundings, waypoint("billing/own"), of("billing", own)];
		assert.deepEqual(places(rule, boundEntry, { given }), []);
	});

	it("serviceentry-waypoint-rival counts an entry that is really bound, and not one that only asks", () => {
		const asking = boundTo("istio-egress/gone", plainEntry);
		assert.deepEqual(places(rule, boundEntry, beside(of("billing", asking)) as never), []);
	});
});
