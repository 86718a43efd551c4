import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AnyObject, ServiceEntry } from "../../../src/core/kinds.ts";
import { captureOf, hostOwnership, whyIgnored, winnersOf } from "../../../src/istio/capture/capture.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	exampleService,
	plainEntry,
	teamNamespace,
	withLabels,
	withSpec,
} from "../../../src/rules/examples.ts";
import { world } from "../../support/rule-example.ts";

const place = { namespace: "team", name: "payments" };
const host = "api.payments.example.com";
const given = [teamNamespace, egressNamespace, egressWaypoint];

function created(
	entry: ServiceEntry,
	name: string,
	time: string | undefined,
	namespace = "team",
): ServiceEntry {
	return {
		...entry,
		metadata: {
			...entry.metadata,
			name,
			namespace,
			...(time === undefined ? {} : { creationTimestamp: time }),
		},
	};
}

function only(
	entry: ServiceEntry,
	objects: readonly AnyObject[] = given,
): ReturnType<typeof captureOf>[number] {
	const [capture] = captureOf(entry, place, world(objects));
	assert.ok(capture);
	return capture;
}

describe("whyIgnored()", () => {
	it("knows another revision, an unreadable address, and a CIDR before Istio 1.30", () => {
		const state = world();
		assert.equal(
			whyIgnored(withLabels(plainEntry, { "istio.io/rev": "" }), "team", state)?.reason,
			"revision",
		);
		assert.equal(
			whyIgnored(withSpec(plainEntry, { addresses: ["1.2.3"] }), "team", state)?.reason,
			"address",
		);
		const block = withSpec(plainEntry, { addresses: ["203.0.113.0/24"], resolution: "NONE" });
		assert.equal(whyIgnored(block, "team", state), undefined);
		state.learn({ istioMinor: 29 });
		assert.equal(whyIgnored(block, "team", state)?.reason, "block");
		const single = withSpec(plainEntry, { addresses: ["203.0.113.1/32"], resolution: "NONE" });
		assert.equal(whyIgnored(single, "team", state), undefined);
	});

	it("knows a namespace whose entries the mesh shows to nobody", () => {
		const state = world(given);
		state.learn({ serviceEntryVisibility: { defaultVisibility: "NONE", policies: [] } });
		assert.equal(whyIgnored(plainEntry, "team", state)?.reason, "visibility");
	});
});

describe("hostOwnership()", () => {
	it("gives a host to the oldest entry of the namespace, and to the first of a world without times", () => {
		const old = created(plainEntry, "old", "2026-01-01T00:00:00Z");
		const young = created(plainEntry, "payments", "2026-01-02T00:00:00Z");
		assert.equal(hostOwnership(host, young, place, world([young, old])).lostTo?.name, "old");
		const [one, other] = [created(plainEntry, "one", undefined), created(plainEntry, "payments", undefined)];
		const state = world([one, other]);
		assert.equal(hostOwnership(host, other, place, state).lostTo?.name, "one");
		assert.equal(hostOwnership(host, one, { namespace: "team", name: "one" }, state).lostTo, undefined);
	});

	it("takes the same one of several of a second, in whatever order they came", () => {
		const time = "2026-01-01T00:00:00Z";
		const entries = [
			created(plainEntry, "b", time),
			created(plainEntry, "a", time, "team"),
			created(plainEntry, "b", time, "another"),
			created(plainEntry, "c", time, "another"),
		];
		const answers = [entries, entries.toReversed(), [entries[2], entries[0], entries[3], entries[1]]].map(
			(order) => {
				const state = world([...given, ...order.filter((each) => each !== undefined)]);
				return {
					standings: entries.map((entry) => {
						const { namespace = "", name = "" } = entry.metadata ?? {};
						const objectName = { namespace: namespace ?? "", name: name ?? "" };
						const { lostTo, canonical, isTied } = hostOwnership(host, entry, objectName, state);
						return `${namespace}/${name}: lost to ${lostTo?.name}, canonical ${canonical}, tied ${isTied}`;
					}),
					winners: winnersOf(host, state)
						.map(({ namespace, name }) => `${namespace}/${name}`)
						.toSorted(),
				};
			},
		);
		assert.deepEqual(answers[0], {
			standings: [
				"team/b: lost to a, canonical false, tied true",
				"team/a: lost to undefined, canonical true, tied true",
				"another/b: lost to undefined, canonical false, tied true",
				"another/c: lost to b, canonical false, tied true",
			],
			winners: ["another/b", "team/a"],
		});
		assert.deepEqual(answers[1], answers[0]);
		assert.deepEqual(answers[2], answers[0]);
	});

	it("gives a host to a Service of the namespace, however young", () => {
		const entry = withSpec(plainEntry, { hosts: ["orders.team.svc.cluster.local"] });
		const standing = hostOwnership(
			"orders.team.svc.cluster.local",
			entry,
			place,
			world([exampleService("orders", "team", "10.0.0.1")]),
		);
		assert.equal(standing.lostTo?.kind, "Service");
		const elsewhere = withSpec(plainEntry, { hosts: ["orders.shop.svc.cluster.local"] });
		const far = hostOwnership(
			"orders.shop.svc.cluster.local",
			elsewhere,
			place,
			world([exampleService("orders", "shop", "10.0.0.1")]),
		);
		assert.equal(far.lostTo, undefined);
		assert.equal(far.canonical, false);
	});

	it("makes the oldest of all namespaces canonical", () => {
		const mine = created(plainEntry, "payments", "2026-01-02T00:00:00Z");
		const theirs = created(plainEntry, "payments", "2026-01-01T00:00:00Z", "other");
		const state = world([mine, theirs]);
		assert.equal(hostOwnership(host, mine, place, state).canonical, false);
		assert.equal(
			hostOwnership(host, theirs, { namespace: "other", name: "payments" }, state).canonical,
			true,
		);
	});
});

describe("captureOf()", () => {
	it("tells a bound host with an address from one without", () => {
		assert.equal(only(boundEntry).waypoint, "istio-egress/egress");
		assert.equal(only(boundEntry).addresses, "automatic");
		assert.equal(only(withSpec(boundEntry, { resolution: null })).addresses, "none");
		assert.equal(only(withSpec(boundEntry, { addresses: ["203.0.113.1"] })).addresses, "listed");
	});

	it("writes no condition where istiod ignores the entry or every host is lost", () => {
		assert.equal(only(withLabels(boundEntry, { "istio.io/rev": "other" })).binding.status, "None");
		const first = created(boundEntry, "first", "2026-01-01T00:00:00Z");
		assert.equal(only(boundEntry, [...given, first]).binding.status, "None");
		const both = withSpec(boundEntry, { hosts: [host, "www.payments.example.com"] });
		const captures = captureOf(both, place, world([...given, first]));
		assert.deepEqual(
			captures.map((each) => [each.binding.status, each.known]),
			[
				["True", false],
				["True", true],
			],
		);
	});

	it("gives no waypoint to what is marked as one", () => {
		const marked = withLabels(boundEntry, { "gateway.istio.io/managed": "istio.io-mesh-controller" });
		assert.equal(only(marked).waypoint, undefined);
		assert.equal(only(marked).binding.status, "None");
	});
});
