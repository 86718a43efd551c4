import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runVerb } from "../support/run-verb.ts";
import { startServe } from "../support/serve-process.ts";
import type { KubeObject } from "./api.ts";
import { useControlPlane } from "./shared.ts";
import { registerWebhooks } from "./webhooks.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry } from "./world.ts";

const plane = await useControlPlane();
const egress = "taken-egress";
const shop = "taken-shop";
/** Judged, like the shop. */
const machines = "taken-machines";
/** Left alone by Waymark: here istiod shows what would have happened. */
const free = "taken-free";
const ambient = { "istio.io/dataplane-mode": "ambient" };

function machine(namespace: string, name: string, address: string): KubeObject {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "WorkloadEntry",
		metadata: { namespace, name },
		spec: { address },
	};
}

function endpointEntry(namespace: string, name: string, address: string, more: object = {}): KubeObject {
	const spec = { resolution: "STATIC", endpoints: [{ address }], ...more };
	return serviceEntry(namespace, name, `${name}.shop.example`, { spec });
}

/** The addresses of a block that ztunnels find in their list of workloads, where no service is asked. */
async function taken(): Promise<readonly string[]> {
	await plane.istiod.settle();
	const workloads = await plane.istiod.ambientWorkloads();
	return workloads
		.filter(({ hasWaypoint }) => !hasWaypoint)
		.flatMap(({ addresses }) => addresses)
		.filter((address) => address.startsWith("203.0.113."))
		.sort();
}

async function trace(host: string): Promise<string> {
	const argv = ["trace", host, "--from", shop, "--cluster", "--kubeconfig", plane.kubeconfig];
	const { code, out, error } = await runVerb(...argv);
	assert.equal(code, 0, error);
	return out;
}

test("an address that an entry sends through a waypoint becomes no workload's: istiod's list of workloads stays without it", async () => {
	await using stack = new AsyncDisposableStack();
	await deleteNamespaces(plane, egress, shop, machines, free);
	stack.defer(() => deleteNamespaces(plane, egress, shop, machines, free));
	await createNamespace(plane, egress, { labels: ambient });
	await createWaypoint(plane, egress, "waypoint", { from: { from: "All" } });
	const annotations = { "egress.waymark.dev/waypoint": `${egress}/waypoint` };
	await createNamespace(plane, shop, { labels: ambient, annotations });
	await createNamespace(plane, machines, { labels: ambient, annotations });
	await createNamespace(plane, free, { labels: ambient });
	const folder = await mkdtemp(join(tmpdir(), "waymark-taken-"));
	stack.defer(() => rm(folder, { recursive: true }));
	const owner = { after: (stop: () => Promise<unknown>) => stack.defer(async () => void (await stop())) };
	const server = await startServe(owner, ["--kubeconfig", plane.kubeconfig], { cwd: folder });
	const ca = await readFile(server.caFile, "utf8");
	stack.defer(await registerWebhooks(plane, { url: server.url, ca, namespaces: [shop, machines] }));

	const spec = { resolution: "NONE", addresses: ["203.0.113.64/28"] };
	await plane.api.create(serviceEntry(shop, "net", "net.shop.example", { spec }));
	const [service] = await plane.istiod.ambientServices(shop, "net");
	assert.deepEqual([service?.addresses, service?.waypoint], [["203.0.113.64/28"], `${egress}/waypoint`]);

	// A machine, another entry's endpoint, and the entry's own.
	await assert.rejects(
		plane.api.create(machine(machines, "machine", "203.0.113.65")),
		/workloadentry-address-governed/,
	);
	await assert.rejects(
		plane.api.create(endpointEntry(machines, "other", "203.0.113.66")),
		/serviceentry-endpoint-governed/,
	);
	await assert.rejects(
		plane.api.create(endpointEntry(shop, "own", "203.0.113.80", { addresses: ["203.0.113.80"] })),
		/serviceentry-address-workload/,
	);
	assert.deepEqual(await taken(), []);

	// What Waymark refuses, istiod takes: ztunnel then finds a workload, and no waypoint.
	await plane.api.create(machine(free, "machine", "203.0.113.65"));
	await plane.api.create(endpointEntry(free, "other", "203.0.113.66"));
	assert.deepEqual(await taken(), ["203.0.113.65", "203.0.113.66"]);
	assert.match(await trace("203.0.113.65:443"), /workload/);
	assert.match(await trace("203.0.113.67:443"), /through taken-egress\/waypoint/);

	// Written the other way round, the entry is refused.
	await plane.api.create(machine(free, "early", "203.0.113.100"));
	await assert.rejects(
		plane.api.create(
			serviceEntry(shop, "late", "late.shop.example", {
				spec: { resolution: "NONE", addresses: ["203.0.113.96/28"] },
			}),
		),
		/serviceentry-address-workload/,
	);
});
