import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { ServeProcess } from "../support/serve-process.ts";
import { startServe } from "../support/serve-process.ts";
import type { KubeObject } from "./api.ts";
import type { OwnControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import { registerWebhooks } from "./webhooks.ts";
import { serviceEntry, useWaypoint } from "./world.ts";

let plane: OwnControlPlane;
let waymark: ServeProcess;
const stack = new AsyncDisposableStack();

before(async () => {
	plane = await startControlPlane({ istiod: false });
	stack.defer(() => plane.stop());
	// What istiod would make.
	await plane.api.apply({
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "GatewayClass",
		metadata: { name: "istio-waypoint" },
		spec: { controllerName: "istio.io/mesh-controller" },
	});
	const stops = { after: (stop: () => Promise<unknown>) => stack.defer(async () => void (await stop())) };
	waymark = await startServe(stops, ["--kubeconfig", plane.kubeconfig], {
		cwd: plane.connection.folder,
	});
	stack.defer(
		await registerWebhooks(plane, { url: waymark.url, ca: await readFile(waymark.caFile, "utf8") }),
	);
});

after(() => stack.disposeAsync());

function namespace(name: string): KubeObject {
	const labels = { "istio.io/dataplane-mode": "ambient" };
	return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

function waypoint(name: string): KubeObject {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "Gateway",
		metadata: { namespace: "shop", name },
		spec: {
			gatewayClassName: "istio-waypoint",
			listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
		},
	};
}

function bound(name: string, to: string): KubeObject {
	return serviceEntry("shop", name, `${name}.example.com`, { labels: useWaypoint(to, "shop") });
}

test("POST /validate denies an entry whose waypoint does not exist, and none of 200 that come right after theirs", async () => {
	await plane.api.apply(namespace("shop"));
	await assert.rejects(plane.api.create(bound("stray", "nowhere")), /serviceentry-waypoint-existence/);
	const refused: string[] = [];
	for (let i = 0; i < 200; i++) {
		await plane.api.create(waypoint(`waypoint-${i}`));
		try {
			await plane.api.create(bound(`entry-${i}`, `waypoint-${i}`));
		} catch (error) {
			refused.push(`${i}: ${(error as Error).message}`);
		}
	}
	assert.deepEqual(refused, []);
	const metrics = await (await fetch(`${waymark.operations}/metrics`)).text();
	console.log(
		metrics
			.split("\n")
			.filter((line) => line.startsWith("waymark_confirmations_total"))
			.join("\n"),
	);
});

test("kubectl apply of one file with a Namespace, its waypoint and an entry bound to it is never refused", async () => {
	for (let i = 0; i < 10; i++) {
		const name = `team-${i}`;
		const gateway = waypoint("waypoint");
		const entry = serviceEntry(name, "entry", `${name}.example.com`, { labels: useWaypoint("waypoint") });
		const objects = [
			namespace(name),
			{ ...gateway, metadata: { ...gateway.metadata, namespace: name } },
			entry,
		];
		const { code, stderr } = await plane.tryApply(objects);
		assert.equal(code, 0, stderr);
	}
});
