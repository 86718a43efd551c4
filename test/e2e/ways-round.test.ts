import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startServe } from "../support/serve-process.ts";
import type { ApiAnswer, KubeObject } from "./api.ts";
import { useControlPlane } from "./shared.ts";
import { registerWebhooks } from "./webhooks.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry } from "./world.ts";

// What somebody who may write Istio's objects in a namespace tries, to reach what its policy does not allow.
const plane = await useControlPlane();
const egress = "round-egress";
const shop = "round-shop";
const old = "round-old";
const ambient = { "istio.io/dataplane-mode": "ambient" };
const optOut = { labels: { "istio.io/use-waypoint": "none" } };
const waypoint = { "egress.waymark.dev/waypoint": `${egress}/waypoint` };

describe("a tenant who looks for a way round the policy", () => {
	const stack = new AsyncDisposableStack();

	before(async () => {
		await deleteNamespaces(plane, egress, shop, old);
		stack.defer(() => deleteNamespaces(plane, egress, shop, old));
		await createNamespace(plane, egress, { labels: ambient });
		const annotations = { ...waypoint, "egress.waymark.dev/allowed-hosts": "*.shop.example" };
		await createNamespace(plane, shop, { labels: ambient, annotations });
		await createNamespace(plane, old, {
			labels: ambient,
			annotations: { "egress.waymark.dev/mode": "off" },
		});
		await createWaypoint(plane, egress, "waypoint", { from: { from: "All" } });
		const folder = await mkdtemp(join(tmpdir(), "waymark-round-"));
		stack.defer(() => rm(folder, { recursive: true }));
		const config = join(folder, "config.yaml");
		// Whoever sets the scene is an editor; an owner with every right in the namespace is none.
		await writeFile(config, "policyEditors: { groups: ['system:masters'] }\n");
		const args = ["--kubeconfig", plane.kubeconfig, "--config", config];
		const server = await startServe({ after: (stop) => stack.defer(async () => void (await stop())) }, args, {
			cwd: folder,
		});
		const ca = await readFile(server.caFile, "utf8");
		const unregister = await registerWebhooks(plane, { url: server.url, ca, namespaces: [shop, old] });
		stack.defer(unregister);
	});
	after(() => stack.disposeAsync());

	const patch = (namespace: string, name: string, change: object): Promise<KubeObject> =>
		plane.api.patch("ServiceEntry", namespace, name, change);
	const create = (name: string, host: string, spec: Readonly<Record<string, unknown>>): Promise<KubeObject> =>
		plane.api.create(serviceEntry(shop, name, host, { spec }));

	test("cannot delete an entry that waits for a finalizer and turn it into another, and can let it go", async () => {
		const entry = serviceEntry(shop, "dying", "dying.shop.example");
		await plane.api.create({ ...entry, metadata: { ...entry.metadata, finalizers: ["example.com/keep"] } });
		await plane.api.delete("ServiceEntry", shop, "dying");
		await assert.rejects(
			patch(shop, "dying", { spec: { hosts: ["evil.example"] } }),
			/serviceentry-policy-host/,
		);
		await assert.rejects(patch(shop, "dying", { metadata: optOut }), /serviceentry-waypoint-opt-out/);
		// Istio obeys what is being deleted: this is why it is judged.
		await plane.istiod.settle();
		const [service] = await plane.istiod.ambientServices(shop, "dying");
		assert.deepEqual([service?.hostname, service?.waypoint], ["dying.shop.example", `${egress}/waypoint`]);
		await patch(shop, "dying", { metadata: { finalizers: null } });
		assert.equal(await plane.get("ServiceEntry", shop, "dying"), undefined);
	});

	test("cannot add hosts to an entry that opted out before there was a policy, and can still take some away", async () => {
		const hosts = ["one.example", "two.example"];
		await plane.api.create(serviceEntry(old, "opted", "one.example", { ...optOut, spec: { hosts } }));
		await createNamespace(plane, old, { labels: ambient, annotations: waypoint });
		const widen = (): Promise<KubeObject> =>
			patch(old, "opted", { spec: { hosts: [...hosts, "three.example"] } });
		// The policy is in force when the Namespace's event has arrived.
		const deadline = Date.now() + 5_000;
		while (
			await widen().then(
				() => Date.now() < deadline,
				() => false,
			)
		) {
			await patch(old, "opted", { spec: { hosts } });
			await sleep(20);
		}
		await assert.rejects(widen(), /serviceentry-waypoint-opt-out/);
		await patch(old, "opted", { spec: { hosts: ["one.example"] } });
	});

	test("cannot rewrite the policy, or a label that it rests on, by a subresource of the Namespace", async () => {
		const as = { name: "owner" };
		await plane.api.create({
			apiVersion: "rbac.authorization.k8s.io/v1",
			kind: "RoleBinding",
			metadata: { namespace: shop, name: "owner" },
			roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
			subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: as.name }],
		});
		const path = `/api/v1/namespaces/${shop}`;
		const status = (change: object): Promise<ApiAnswer> =>
			plane.api.request("PATCH", `${path}/status`, {
				as,
				body: change,
				contentType: "application/merge-patch+json",
			});
		const finalize = async (change: object): Promise<ApiAnswer> => {
			const live = (await plane.api.request("GET", path)).body as KubeObject;
			const body = { ...live, metadata: { ...live.metadata, ...change } };
			return await plane.api.request("PUT", `${path}/finalize`, { as, body });
		};
		for (const [change, rule] of [
			[{ annotations: { ...waypoint, "egress.waymark.dev/mode": "off" } }, /namespace-editor/],
			[
				{ labels: { ...ambient, "kubernetes.io/metadata.name": shop, "istio.io/rev": "x" } },
				/namespace-label/,
			],
		] as const) {
			for (const answer of [await status({ metadata: change }), await finalize(change)]) {
				assert.equal(answer.status, 403, JSON.stringify(answer.body));
				assert.match((answer.body as { readonly message: string }).message, rule);
			}
		}
		// The right to write them was there, and what touches no policy is written as ever.
		assert.equal((await status({ metadata: { annotations: { "example.com/color": "blue" } } })).status, 200);
		assert.equal((await finalize({})).status, 200);
	});

	test("cannot have a shared waypoint open a socket in its own pod", async () => {
		const address = "unix:///var/run/secrets/workload-spiffe-uds/socket";
		await assert.rejects(
			create("socket", "socket.shop.example", { resolution: "STATIC", endpoints: [{ address }] }),
			/serviceentry-endpoint-socket/,
		);
	});

	test("cannot hide a host behind a selector, nor a forbidden address behind a WorkloadEntry", async () => {
		const workloadSelector = { labels: { app: "anything" } };
		const spec = { location: "MESH_INTERNAL", resolution: "STATIC", workloadSelector };
		await assert.rejects(create("selecting", "evil.example", spec), /serviceentry-policy-host/);
		const workload = (address: string): Promise<KubeObject> =>
			plane.api.create({
				apiVersion: "networking.istio.io/v1",
				kind: "WorkloadEntry",
				metadata: { namespace: shop, name: "machine", labels: { app: "anything" } },
				spec: { address },
			});
		await assert.rejects(workload("169.254.169.254"), /workloadentry-address/);
		await assert.rejects(workload("evil.example"), /workloadentry-address/);
		await workload("10.20.0.7");
	});
});
