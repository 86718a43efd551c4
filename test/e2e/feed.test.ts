import assert from "node:assert/strict";
import { cp, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { allKinds, kinds } from "../../src/core/kinds.ts";
import type { Credentials } from "../../src/kube/client/credentials.ts";
import { inClusterCredentials, kubeconfigCredentials } from "../../src/kube/client/credentials.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { expectSuccess } from "./api.ts";
import { applyCrds } from "./components.ts";
import type { OwnControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import type { LiveWorld } from "./live-world.ts";
import { followPlane, openWatches } from "./live-world.ts";
import { createNamespace, serviceEntry } from "./world.ts";

/** Every API group that the feed reads. */
const groups = [...new Set(allKinds.map((kind) => kinds[kind].group)), "apiextensions.k8s.io"];

describe("the feed, with a real API server", { timeout: 900_000 }, () => {
	let plane: OwnControlPlane;
	let proxy: TcpProxy;
	let live: LiveWorld | undefined;
	const rejections: unknown[] = [];
	process.on("unhandledRejection", (reason) => rejections.push(reason));

	before(async () => {
		plane = await startControlPlane({ istiod: false });
		await createNamespace(plane, "shop");
	});

	after(async () => {
		await plane.stop();
	});

	beforeEach(async () => {
		proxy = await startTcpProxy(plane.connection.ports.apiServer);
	});

	afterEach(async () => {
		await live?.stop();
		live = undefined;
		await sleep(50);
		const { connections } = proxy;
		await proxy.stop();
		assert.equal(connections, 0);
		for (const deadline = Date.now() + 3000; (await openWatches(plane)) > 0; await sleep(50)) {
			assert.ok(Date.now() < deadline, `${await openWatches(plane)} watches were left open`);
		}
		assert.deepEqual(rejections.splice(0), []);
	});

	/** The administrator's credentials, by way of the proxy. */
	async function proxied(): Promise<Credentials> {
		const credentials = await kubeconfigCredentials(plane.kubeconfig);
		return { ...credentials, server: new URL(`https://127.0.0.1:${proxy.port}`) };
	}

	async function follow(options: Parameters<typeof followPlane>[2] = {}): Promise<LiveWorld> {
		live = followPlane(plane, await proxied(), options);
		await live.feed.synced;
		assert.equal(await live.difference(), undefined);
		return live;
	}

	let serial = 0;

	/** One create, one update and one deletion. */
	async function change(): Promise<void> {
		serial++;
		await plane.api.create(serviceEntry("shop", `entry-${serial}`, `h${serial}.example.com`));
		await plane.api.apply(serviceEntry("shop", "changing", `c${serial}.example.com`));
		if (serial > 3) {
			await plane.api.delete("ServiceEntry", "shop", `entry-${serial - 3}`);
		}
		await createNamespace(plane, "shop", {
			annotations: { "egress.waymark.dev/allowed-ports": `${serial}` },
		});
	}

	test("follows creates, updates and deletions, with one watch per kind that is served", async () => {
		const { untilFresh, feed, restarts } = await follow();
		// A kind whose CRD is new may be "(re)initializing" at first, which the API server says with 429.
		const initial = restarts.length;
		for (let i = 0; i < 10; i++) {
			await change();
		}
		const took = await untilFresh();
		const { kinds, ready } = feed.status();
		assert.equal(ready, true);
		const missing = [...kinds].filter(([, { version }]) => version === undefined).map(([kind]) => kind);
		assert.deepEqual(missing, ["ASMEgressTrafficPolicy"]);
		const served = [...kinds.keys()].filter((kind) => !["Namespace", "Service", ...missing].includes(kind));
		assert.equal(await openWatches(plane), served.length);
		assert.deepEqual(
			restarts.slice(initial).filter((restart) => restart !== "ASMEgressTrafficPolicy missing"),
			[],
		);
		console.log(`fresh ${Math.round(took)} ms after the last change`);
	});

	test("survives that the API server is stopped for 30 s and restarted", async () => {
		const { untilFresh, feed, world, messages } = await follow();
		await change();
		await untilFresh();
		const before = world.count("ServiceEntry");
		// On a busy machine the first sync may have taken long enough to be told of.
		const told = messages.length;
		await plane.stopApiServer();
		await sleep(30_000);
		assert.equal(world.count("ServiceEntry"), before);
		assert.deepEqual([feed.status().fresh, feed.status().ready], [false, true]);
		assert.ok(feed.status().staleMs > 25_000);
		await plane.startApiServer();
		const took = await untilFresh();
		await change();
		await untilFresh();
		await sleep(2000);
		assert.equal(feed.status().fresh, true);
		assert.deepEqual(messages.slice(told), [
			"watch lost, answering from the last world",
			"every kind is watched, the world is fresh",
		]);
		console.log(`fresh ${Math.round(took)} ms after the API server was ready`);
	});

	test("survives that etcd is restarted and compacted under its watches", async () => {
		const { untilFresh, restarts } = await follow();
		await change();
		await untilFresh();
		await plane.stopEtcd();
		await sleep(5000);
		await plane.startEtcd();
		console.log(`fresh ${Math.round(await untilFresh())} ms after etcd was back`);
		proxy.freeze();
		for (let i = 0; i < 5; i++) {
			await change();
		}
		await plane.compactEtcd();
		await plane.stopApiServer("SIGKILL");
		await plane.startApiServer();
		proxy.thaw();
		console.log(`fresh ${Math.round(await untilFresh())} ms after the compaction`);
		await change();
		await untilFresh();
		assert.ok(restarts.includes("ServiceEntry expired"), restarts.join(", "));
	});

	test("survives that its watches are cut every second for a minute", async () => {
		const { untilFresh } = await follow();
		const end = Date.now() + 60_000;
		let worst = 0;
		while (Date.now() < end) {
			await change();
			await sleep(1000);
			proxy.cut();
			worst = Math.max(worst, await untilFresh());
		}
		console.log(`fresh ${Math.round(worst)} ms after a cut at worst`);
	});

	test("survives watches that hang open without data", async () => {
		const { untilFresh, restarts } = await follow({ limits: { idleMs: 3000, initialIdleMs: 3000 } });
		proxy.strand();
		await change();
		await sleep(3500);
		console.log(`fresh ${Math.round(await untilFresh())} ms after the watchdog's time`);
		assert.ok(restarts.includes("ServiceEntry silent"));
		proxy.freeze();
		await change();
		await sleep(10_000);
		proxy.thaw();
		console.log(`fresh ${Math.round(await untilFresh())} ms after the network was back`);
	});

	test("survives a flood of 5,000 changes", async () => {
		const { untilFresh } = await follow();
		const path = await plane.api.collectionPath("ServiceEntry", "shop");
		for (let i = 0; i < 5000; i += 50) {
			await Promise.all(
				Array.from({ length: 50 }, async (_, j) => {
					const entry = serviceEntry("shop", `flood-${i + j}`, `flood-${i + j}.example.com`);
					expectSuccess("create", await plane.api.request("POST", path, { body: entry }));
				}),
			);
		}
		console.log(`fresh ${Math.round(await untilFresh())} ms after 5,000 creations`);
		expectSuccess("delete", await plane.api.request("DELETE", path));
		console.log(`fresh ${Math.round(await untilFresh())} ms after 5,000 deletions`);
	});

	test("survives that a CRD is deleted and created again", async () => {
		const { untilFresh, world, feed } = await follow();
		await change();
		await untilFresh();
		const crd = "serviceentries.networking.istio.io";
		await plane.api.delete("CustomResourceDefinition", undefined, crd);
		for (const deadline = Date.now() + 20_000; feed.version("ServiceEntry") !== undefined; await sleep(50)) {
			assert.ok(Date.now() < deadline, "the feed does not notice that the CRD is gone");
		}
		assert.equal(world.count("ServiceEntry"), 0);
		assert.equal(feed.status().ready, true);
		await untilFresh();
		// Long enough for the reflector to ask rarely.
		await sleep(3000);
		await applyCrds(plane.api, plane.connection.files);
		await plane.api.create(serviceEntry("shop", "again", "again.example.com"));
		console.log(`fresh ${Math.round(await untilFresh())} ms after the CRD was established`);
		assert.equal(world.count("ServiceEntry"), 1);
	});

	test("survives that its rights are taken and given again, and names what is forbidden", async () => {
		const role = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole" } as const;
		const rule = (apiGroups: readonly string[]): object => ({
			apiGroups,
			resources: ["*"],
			verbs: ["list", "watch"],
		});
		await plane.api.apply({
			...role,
			metadata: { name: "reader" },
			rules: [rule(groups.filter((group) => group !== "istio.alibabacloud.com"))],
		});
		await plane.api.apply({
			apiVersion: "rbac.authorization.k8s.io/v1",
			kind: "ClusterRoleBinding",
			metadata: { name: "reader" },
			roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "reader" },
			subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "reader" }],
		});
		const credentials = await kubeconfigCredentials(await plane.kubeconfigFor({ name: "reader" }));
		live = followPlane(plane, { ...credentials, server: new URL(`https://127.0.0.1:${proxy.port}`) });
		await sleep(500);
		// ASMEgressTrafficPolicy: its group is in no rule, so it is forbidden, though it is not served either.
		assert.match(live.feed.status().kinds.get("ASMEgressTrafficPolicy")?.problem ?? "", /is forbidden/);
		assert.equal(live.feed.status().ready, false);
		await plane.api.apply({
			...role,
			metadata: { name: "reader" },
			rules: [rule(groups)],
		});
		await live.feed.synced;
		await live.untilFresh();
		await plane.api.apply({
			...role,
			metadata: { name: "reader" },
			rules: [rule(["", "apiextensions.k8s.io"])],
		});
		await sleep(500);
		proxy.cut();
		await change();
		await sleep(7000);
		const { kinds, fresh } = live.feed.status();
		assert.equal(fresh, false);
		assert.match(kinds.get("ServiceEntry")?.problem ?? "", /forbidden/);
		assert.equal(kinds.get("Namespace")?.problem, undefined);
		await plane.api.apply({
			...role,
			metadata: { name: "reader" },
			rules: [rule(groups)],
		});
		console.log(`fresh ${Math.round(await live.untilFresh())} ms after the rights were back`);
	});

	test("survives that its token rotates", async () => {
		const directory = await mkdtemp(join(tmpdir(), "waymark-token-"));
		const write = async (): Promise<void> => {
			await plane.api.apply({
				apiVersion: "v1",
				kind: "ServiceAccount",
				metadata: { namespace: "shop", name: "robot" },
			});
			const answer = await plane.api.request("POST", "/api/v1/namespaces/shop/serviceaccounts/robot/token", {
				body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
			});
			const { status } = expectSuccess("create token", answer) as { status: { token: string } };
			await writeFile(join(directory, "token"), status.token);
		};
		await plane.api.apply({
			apiVersion: "rbac.authorization.k8s.io/v1",
			kind: "ClusterRoleBinding",
			metadata: { name: "robot" },
			roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
			subjects: [{ kind: "ServiceAccount", namespace: "shop", name: "robot" }],
		});
		await writeFile(join(directory, "ca.crt"), plane.connection.authority.certificate);
		await write();
		live = followPlane(
			plane,
			inClusterCredentials({ host: "127.0.0.1", port: String(proxy.port), directory }),
		);
		await live.feed.synced;
		// A new account of the same name: the old token is worth nothing from now on.
		await plane.api.delete("ServiceAccount", "shop", "robot");
		await change();
		// The API server remembers a token that was good for ten seconds.
		await sleep(12_000);
		proxy.cut();
		await sleep(1000);
		assert.match(live.feed.status().kinds.get("ServiceEntry")?.problem ?? "", /Unauthorized/);
		await write();
		console.log(`fresh ${Math.round(await live.untilFresh())} ms after the new token was there`);
		await rm(directory, { recursive: true });
	});

	test("survives that etcd is restored from a backup, and goes on from lower revisions", async () => {
		const { folder } = plane.connection;
		await plane.stopEtcd();
		await cp(join(folder, "etcd"), join(folder, "etcd-backup"), { recursive: true });
		await plane.startEtcd();
		const { untilFresh, restarts } = await follow({ limits: { idleMs: 3000, initialIdleMs: 3000 } });
		for (let i = 0; i < 100; i++) {
			await change();
		}
		await untilFresh();
		await plane.stopApiServer("SIGKILL");
		await plane.stopEtcd();
		await rm(join(folder, "etcd"), { recursive: true });
		await rename(join(folder, "etcd-backup"), join(folder, "etcd"));
		await plane.startEtcd();
		await plane.startApiServer();
		await change();
		// Two silences of three seconds, and what lies between them.
		console.log(`fresh ${Math.round(await untilFresh(12_000))} ms after the restored API server was ready`);
		assert.ok(restarts.includes("ServiceEntry silent"), restarts.join(", "));
	});
});
