import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AnyObject, Service, ServiceEntry, WorkloadEntry } from "../../../src/core/kinds.ts";
import type { SettingsFile } from "../../../src/core/settings.ts";
import { isGoverned, isOutsideHost, leavesCluster, outsideName } from "../../../src/istio/entry/border.ts";
import { isExternal } from "../../../src/istio/entry/facts.ts";
import { exampleService, plainEntry, teamNamespace, withSpec } from "../../../src/rules/examples.ts";
import { contextOf } from "../../support/context.ts";
import { world } from "../../support/rule-example.ts";

function alias(name: string, externalName: string): Service {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, namespace: "team" },
		spec: { type: "ExternalName", externalName },
	};
}

function machine(address: string): WorkloadEntry {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "WorkloadEntry",
		metadata: { name: "vm", namespace: "team", labels: { app: "vm" } },
		spec: { address },
	};
}

const services: readonly AnyObject[] = [
	exampleService("ledger", "team", "10.96.0.20"),
	alias("away", "evil.example"),
	alias("twice", "away.team.svc.cluster.local"),
	alias("back", "ledger.team.svc.cluster.local"),
	alias("circle", "circle.team.svc.cluster.local"),
];
const internal: SettingsFile = {
	internal: { hosts: ["*.corp.example", "lan"], addresses: ["10.80.0.0/16"] },
};

function leaves(
	spec: ServiceEntry["spec"],
	given: readonly AnyObject[] = [],
	settings: SettingsFile = {},
): readonly [leaves: boolean, governed: boolean] {
	const entry = withSpec(plainEntry, {
		hosts: ["ledger.team.svc.cluster.local"],
		location: "MESH_INTERNAL",
		...spec,
	});
	const context = contextOf([teamNamespace, ...services, ...given], settings);
	return [leavesCluster(entry, context), isGoverned(entry, context)];
}

const out = [true, true] as const;
const inside = [false, false] as const;

describe("leavesCluster() and isGoverned()", () => {
	for (const [what, spec, expected] of [
		["a Service of the cluster", {}, inside],
		["the address of a Service", { resolution: "STATIC", endpoints: [{ address: "10.96.0.20" }] }, inside],
		["a Service by name", { endpoints: [{ address: "ledger.team.svc" }] }, inside],
		["a pod of a Service", { hosts: ["ledger-0.ledger.team.svc.cluster.local"] }, inside],
		["an alias that stays", { endpoints: [{ address: "back.team.svc.cluster.local" }] }, inside],
		["pods", { resolution: "STATIC", workloadSelector: { labels: { app: "vm" } } }, inside],
		["what says MESH_EXTERNAL", { location: "MESH_EXTERNAL" }, out],
		["an address", { resolution: "STATIC", endpoints: [{ address: "203.0.113.66" }] }, out],
		["a private address that is no Service's", { endpoints: [{ address: "10.99.0.1" }] }, out],
		["an IPv6 address", { endpoints: [{ address: "2001:db8::1" }] }, out],
		[
			"one address among Services",
			{ endpoints: [{ address: "ledger.team.svc" }, { address: "8.8.8.8" }] },
			out,
		],
		["an alias", { endpoints: [{ address: "away.team.svc.cluster.local" }] }, out],
		["an alias of an alias", { endpoints: [{ address: "twice.team.svc.cluster.local." }] }, out],
		["an alias in a circle", { endpoints: [{ address: "circle.team.svc.cluster.local" }] }, out],
		["a host that is an alias", { hosts: ["away.team.svc.cluster.local"] }, out],
		["a Service that nobody knows", { endpoints: [{ address: "gone.team.svc.cluster.local" }] }, out],
		["every Service of a namespace", { hosts: ["*.team.svc.cluster.local"] }, out],
		["a block", { resolution: "NONE", addresses: ["8.0.0.0/7"] }, out],
		["an address that is dialled", { resolution: "NONE", addresses: ["10.96.0.20", "10.96.0.21"] }, out],
		["an address that a Service has", { resolution: "NONE", addresses: ["10.96.0.20"] }, inside],
		["a corporate host", { hosts: ["db.corp.example"] }, out],
		[
			"a corporate host at a private address",
			{ hosts: ["db.corp.example"], endpoints: [{ address: "10.0.0.1" }] },
			out,
		],
		["a name without a dot", { hosts: ["relay"] }, out],
		[
			"a host that pods answer",
			{ hosts: ["pay.example.com"], workloadSelector: { labels: { app: "a" } } },
			[false, true],
		],
	] as const) {
		it(`leavesCluster() is ${expected[0]} for ${what}`, () => {
			assert.deepEqual(leaves(spec), expected);
		});
	}

	it("leavesCluster() takes what the configuration calls internal for inside, whatever the location says", () => {
		const corporate = { hosts: ["db.corp.example"], endpoints: [{ address: "10.80.3.1" }] };
		assert.deepEqual(leaves(corporate, [], internal), inside);
		assert.deepEqual(leaves({ ...corporate, location: "MESH_EXTERNAL" }, [], internal), inside);
		assert.deepEqual(leaves({ hosts: ["corp.example", "printer.lan"] }, [], internal), inside);
		assert.deepEqual(leaves({ ...corporate, endpoints: [{ address: "10.81.0.1" }] }, [], internal), out);
		assert.deepEqual(leaves({ hosts: ["db.notcorp.example"] }, [], internal), out);
		assert.deepEqual(leaves({ location: "MESH_EXTERNAL", hosts: ["a.example"] }, [], internal), out);
		assert.deepEqual(leaves({ resolution: "NONE", addresses: ["10.80.0.0/15"] }, [], internal), out);
		assert.deepEqual(leaves({ resolution: "NONE", addresses: ["10.80.7.0/24"] }, [], internal), inside);
	});

	it("leavesCluster() looks at the machines that a selector finds", () => {
		const spec = { resolution: "STATIC", workloadSelector: { labels: { app: "vm" } } };
		assert.deepEqual(leaves(spec, [machine("10.20.0.1")]), inside);
		assert.deepEqual(leaves(spec, [machine("203.0.113.66")]), out);
		assert.deepEqual(leaves(spec, [machine("evil.example")]), out);
		const other = { ...spec, workloadSelector: { labels: { app: "other" } } };
		assert.deepEqual(leaves(other, [machine("203.0.113.66")]), inside);
	});

	it("leavesCluster() takes a machine that nobody calls internal, under a name outside, for one outside", () => {
		const spec = {
			hosts: ["db.partner.example"],
			resolution: "STATIC",
			workloadSelector: { labels: { app: "vm" } },
		};
		const machines = [machine("10.99.0.1")];
		assert.deepEqual(leaves(spec, machines), out);
		// What only pods answer stays inside; the name is held to the lists all the same.
		assert.deepEqual(leaves(spec), [false, true]);
		assert.deepEqual(leaves(spec, [machine("10.80.0.7")], internal), [false, true]);
		assert.deepEqual(leaves(spec, machines, { internal: { hosts: ["partner.example"] } }), inside);
		assert.deepEqual(leaves({ ...spec, location: "MESH_EXTERNAL" }, machines), out);
	});
});

describe("outsideName()", () => {
	it("outsideName() follows ExternalName Services to a name outside, and knows no other", () => {
		const state = world(services);
		for (const [name, expected] of [
			["api.example.com", "api.example.com"],
			["db", "db"],
			["away.team.svc", "evil.example"],
			["twice.team.svc.cluster.local", "evil.example"],
			["back.team.svc.cluster.local", undefined],
			["circle.team.svc.cluster.local", undefined],
			["gone.team.svc.cluster.local", undefined],
			["", undefined],
			["None", undefined],
			["10.0.0.1", undefined],
			["fe80::1%eth0", undefined],
			["unix:///tmp/x", undefined],
		] as const) {
			assert.equal(outsideName(name, state), expected, name);
		}
	});

	it("isOutsideHost() knows the cluster's domain by any spelling", () => {
		assert.equal(isOutsideHost("Ledger.Team.SVC.cluster.local.", world()), false);
		assert.equal(isOutsideHost("ledger.team.svc.clusterset.local", world()), true);
	});
});

describe("isExternal()", () => {
	it("isExternal() is what is not said to be internal", () => {
		for (const [location, expected] of [
			["MESH_EXTERNAL", true],
			["MESH_INTERNAL", false],
			["mesh_internal", true],
			[null, true],
			[undefined, true],
		] as const) {
			assert.equal(isExternal({ spec: location === undefined ? {} : { location } }), expected);
		}
		assert.equal(isExternal({ spec: null }), true);
	});
});
