import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AmbientService, WaypointBound } from "./oracles.ts";
import { useControlPlane } from "./shared.ts";
import type { ServiceEntryOptions } from "./world.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry, useWaypoint } from "./world.ts";

// What istiod really does, row by row: the truth that the rules rest on. No webhook of ours takes part.
const plane = await useControlPlane();

const namespaces = ["truth-egress", "truth-closed", "truth-shop", "truth-labelled", "truth-other"];
const shared = useWaypoint("waypoint", "truth-egress");
let hosts = 0;

interface Truth {
	readonly bound: WaypointBound;
	readonly services: readonly AmbientService[];
}

/** Applies a ServiceEntry for a host of its own (or the given one) and asks istiod what became of it. */
async function truth(namespace: string, options: ServiceEntryOptions & { host?: string }): Promise<Truth> {
	const number = hosts++;
	const name = `entry-${number}`;
	await plane.api.create(
		serviceEntry(namespace, name, options.host ?? `host-${number}.truth.example`, options),
	);
	const bound = await plane.istiod.waypointBound(namespace, name);
	return { bound, services: await plane.istiod.ambientServices(namespace, name) };
}

function assertBound({ bound }: Truth): void {
	assert.deepEqual([bound.status, bound.reason], ["True", "WaypointAccepted"], bound.message);
}

function assertNotBound({ bound, services }: Truth, reason: string): void {
	assert.deepEqual([bound.status, bound.reason], ["False", reason], bound.message);
	// Known by address and without a waypoint: the traffic goes out directly.
	assertAutomaticAddresses(services);
	assert.deepEqual(
		services.map((service) => service.waypoint),
		[null],
	);
}

function assertCaptured(seen: Truth, waypoint = "truth-egress/waypoint"): void {
	assertBound(seen);
	assertAutomaticAddresses(seen.services);
	assert.deepEqual(
		seen.services.map((service) => [service.waypoint, service.canonical]),
		[[waypoint, true]],
	);
}

function assertAutomaticAddresses(services: readonly AmbientService[]): void {
	assert.equal(services.length, 1);
	const [v4 = "", v6 = ""] = services[0]?.addresses ?? [];
	assert.match(v4, /^240\.240\.\d+\.\d+$/);
	assert.match(v6, /^2001:2:/);
}

function assertBoundWithoutAddress(seen: Truth): void {
	assertBound(seen);
	assert.deepEqual(
		seen.services.map((service) => service.addresses),
		[[]],
	);
}

/** Creation timestamps have a grain of one second, and istiod prefers the older object. */
async function nextSecond(): Promise<void> {
	await sleep(1010 - (Date.now() % 1000));
}

describe("istiod", () => {
	before(async () => {
		await deleteNamespaces(plane, ...namespaces);
		await createNamespace(plane, "truth-egress");
		await createNamespace(plane, "truth-closed");
		await createNamespace(plane, "truth-shop");
		await createNamespace(plane, "truth-labelled", { labels: shared });
		await createNamespace(plane, "truth-other");
		await createWaypoint(plane, "truth-egress", "waypoint", { from: { from: "All" } });
		await createWaypoint(plane, "truth-closed", "waypoint", { from: { from: "Same" } });
		await createWaypoint(plane, "truth-shop", "own");
		await createWaypoint(plane, "truth-shop", "workload", {
			labels: { "istio.io/waypoint-for": "workload" },
		});
		await createWaypoint(plane, "truth-shop", "empty", { ready: false });
	});
	after(() => deleteNamespaces(plane, ...namespaces));

	test("captures an entry that is bound to its own namespace's waypoint", async () => {
		assertCaptured(await truth("truth-shop", { labels: useWaypoint("own") }), "truth-shop/own");
	});

	test("captures an entry whose label names another namespace's waypoint with from: All", async () => {
		assertCaptured(await truth("truth-shop", { labels: shared }));
	});

	test("captures an unlabelled entry of a labelled namespace", async () => {
		assertCaptured(await truth("truth-labelled", {}));
	});

	test("binds an entry with resolution NONE and no address, and gives it no VIP", async () => {
		assertBoundWithoutAddress(await truth("truth-shop", { labels: shared, spec: { resolution: "NONE" } }));
	});

	test("binds a wildcard with resolution NONE, and gives it no VIP", async () => {
		const spec = { resolution: "NONE" };
		assertBoundWithoutAddress(
			await truth("truth-shop", { labels: shared, spec, host: "*.none.truth.example" }),
		);
	});

	test("binds an entry that turns auto-allocation off, and gives it no VIP", async () => {
		const labels = { ...shared, "networking.istio.io/enable-autoallocate-ip": "false" };
		assertBoundWithoutAddress(await truth("truth-shop", { labels }));
	});

	test("captures a wildcard with DYNAMIC_DNS", async () => {
		const spec = { resolution: "DYNAMIC_DNS" };
		assertCaptured(await truth("truth-shop", { labels: shared, spec, host: "*.dynamic.truth.example" }));
	});

	test("captures resolution NONE by the CIDR that it lists", async () => {
		const spec = { resolution: "NONE", addresses: ["198.51.100.0/24"] };
		const seen = await truth("truth-shop", { labels: shared, spec });
		assertBound(seen);
		assert.deepEqual(
			seen.services.map((service) => [service.addresses, service.waypoint]),
			[[["198.51.100.0/24"], "truth-egress/waypoint"]],
		);
	});

	const unusual: Record<string, Record<string, unknown>> = {
		"location MESH_INTERNAL": { location: "MESH_INTERNAL" },
		"a UDP port": { ports: [{ number: 53, name: "dns", protocol: "UDP" }] },
		'exportTo ["."]': { exportTo: ["."] },
		"resolution DNS_ROUND_ROBIN": { resolution: "DNS_ROUND_ROBIN" },
	};
	for (const [what, spec] of Object.entries(unusual)) {
		test(`binds an entry with ${what} and gives it a VIP`, async () => {
			assertCaptured(await truth("truth-shop", { labels: shared, spec }));
		});
	}

	test("denies attachment to another namespace's waypoint with from: Same", async () => {
		const labels = useWaypoint("waypoint", "truth-closed");
		assertNotBound(await truth("truth-shop", { labels }), "AttachmentDenied");
	});

	test("refuses a waypoint for workloads as an unsupported traffic type", async () => {
		assertNotBound(await truth("truth-shop", { labels: useWaypoint("workload") }), "UnsupportedTrafficType");
	});

	test("calls a waypoint without endpoints not ready", async () => {
		assertNotBound(await truth("truth-shop", { labels: useWaypoint("empty") }), "WaypointIsNotReady");
	});

	test("does not fall back to the namespace's waypoint when the entry's does not exist", async () => {
		assertNotBound(await truth("truth-labelled", { labels: useWaypoint("missing") }), "WaypointIsNotReady");
	});

	test("takes an empty label value for a waypoint that is not ready", async () => {
		assertNotBound(await truth("truth-labelled", { labels: useWaypoint("") }), "WaypointIsNotReady");
	});

	test("binds nothing and writes no condition for the label value none", async () => {
		const { bound, services } = await truth("truth-labelled", { labels: useWaypoint("none") });
		assert.equal(bound.status, "None");
		assertAutomaticAddresses(services);
		assert.equal(services[0]?.waypoint, null);
	});

	test("drops the second entry of a host in one namespace", async () => {
		const host = "twice.truth.example";
		assertCaptured(await truth("truth-shop", { labels: shared, host }));
		await nextSecond();
		const { bound, services } = await truth("truth-shop", { labels: shared, host });
		assert.equal(bound.status, "None");
		assert.deepEqual(services, []);
	});

	test("calls the second entry of a host in another namespace not canonical, bound or not", async () => {
		const host = "shadow.truth.example";
		assertCaptured(await truth("truth-shop", { labels: shared, host }));
		await nextSecond();
		const unlabelled = await truth("truth-other", { host });
		assert.equal(unlabelled.bound.status, "None");
		assert.deepEqual(
			unlabelled.services.map((service) => [service.waypoint, service.canonical]),
			[[null, false]],
		);
		const labelled = await truth("truth-labelled", { host });
		assertBound(labelled);
		assert.deepEqual(
			labelled.services.map((service) => [service.waypoint, service.canonical]),
			[["truth-egress/waypoint", false]],
		);
	});

	test("refuses, warns about and allows what its webhook is asked about", async () => {
		const good = serviceEntry("truth-shop", "good", "good.truth.example");
		assert.deepEqual(await plane.istiod.validate(good), { allowed: true, message: "", warnings: [] });
		const bad = serviceEntry("truth-shop", "bad", "bad_host");
		const refusal = await plane.istiod.validate(bad);
		assert.equal(refusal.allowed, false);
		assert.match(refusal.message, /domain name "bad_host" invalid/);
		const spec = {
			resolution: "NONE",
			addresses: ["0.0.0.0/0"],
			ports: [{ number: 80, name: "x", protocol: "TCP" }],
		};
		const odd = await plane.istiod.validate(serviceEntry("truth-shop", "odd", "*.truth.example", { spec }));
		assert.deepEqual([odd.allowed, odd.message], [true, ""]);
	});
});
