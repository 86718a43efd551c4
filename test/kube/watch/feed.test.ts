import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterState } from "../../../src/core/cluster-state.ts";
import type { Kind } from "../../../src/core/kinds.ts";
import type { Connection } from "../../../src/kube/client/connection.ts";
import { connect } from "../../../src/kube/client/connection.ts";
import type { Feed, FeedOptions } from "../../../src/kube/watch/feed.ts";
import { startFeed } from "../../../src/kube/watch/feed.ts";
import { answer, FakeApiServer, failure } from "../../support/fake-api-server.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { until } from "../../support/until.ts";

const istio = "networking.istio.io";
const crds = "apiextensions.k8s.io";

describe("feed", () => {
	let server: FakeApiServer;
	let connection: Connection;
	let feed: Feed | undefined;
	let world: ClusterState;
	let logged: { level: string; message: string; fields: object }[];

	beforeEach(async () => {
		server = new FakeApiServer();
		server.install("", "namespaces", ["v1"]);
		server.install(istio, "serviceentries", ["v1"]);
		server.install(crds, "customresourcedefinitions", ["v1"]);
		await server.listen();
		connection = connect(server.credentials());
		world = new ClusterState();
		logged = [];
		feed = undefined;
	});

	afterEach(async () => {
		await feed?.stop();
		await until("every watch is closed", () => server.openWatches === 0);
		await connection.stop();
		await server.stop();
	});

	function start(options: Partial<FeedOptions> = {}): Feed {
		const log = (level: string) => (fields: object, message: string) =>
			logged.push({ level, message, fields });
		const started = startFeed({
			connection,
			kinds: ["Namespace", "ServiceEntry", "TCPRoute"],
			sink: world,
			log: { info: log("info"), warn: log("warn") },
			...options,
		});
		feed = started;
		return started;
	}

	const entry = (name: string, host: string): void => {
		server.put(istio, "serviceentries", { metadata: { name, namespace: "a" }, spec: { hosts: [host] } });
	};

	test("startFeed() fills a ClusterState, and a policy takes effect when its Namespace event arrives", async () => {
		server.put("", "namespaces", { metadata: { name: "a" } });
		entry("x", "x.example");
		const { synced, status } = start();
		await synced;
		assert.equal(world.count("ServiceEntry"), 1);
		assert.equal(world.policy("a").mode, "enforce");
		server.put("", "namespaces", {
			metadata: { name: "a", annotations: { "egress.waymark.dev/mode": "warn" } },
		});
		await until("the policy is in force", () => world.policy("a").mode === "warn");
		const { ready, fresh, kinds } = status();
		assert.deepEqual([ready, fresh, kinds.get("ServiceEntry")?.objects], [true, true, 1]);
		assert.equal([...world.lookup("serviceEntryByHost", "x.example")].length, 1);
	});

	test("startFeed() asks for the metadata of Namespaces only", async () => {
		const accepts = new Map<string, string | undefined>();
		server.fault = ({ url, headers }) => {
			accepts.set(url.pathname, headers.accept);
			return false;
		};
		await start().synced;
		assert.match(accepts.get("/api/v1/namespaces") ?? "", /as=PartialObjectMetadata;/);
		assert.equal(accepts.get(`/apis/${istio}/v1/serviceentries`), "application/json");
	});

	test("startFeed() is not synced while one kind is forbidden, and names it", async () => {
		let isForbidden = true;
		server.fault = ({ url }, response) => {
			if (!isForbidden || !url.pathname.endsWith("/serviceentries")) {
				return false;
			}
			answer(response, 403, failure(403, "Forbidden", "serviceentries is forbidden"));
			return true;
		};
		const { synced, status } = start({ staleness: { noticeMs: 200 } });
		let isSynced = false;
		void synced.then(() => {
			isSynced = true;
		});
		await until("it is logged", () => logged.length > 0, 3000);
		assert.equal(isSynced, false);
		assert.equal(status().ready, false);
		assert.match(status().kinds.get("ServiceEntry")?.problem ?? "", /forbidden/);
		assert.deepEqual(logged[0]?.fields, {
			kinds: ["ServiceEntry"],
			problems: ["serviceentries is forbidden"],
		});
		isForbidden = false;
		await synced;
		assert.equal(status().ready, true);
	});

	test("startFeed() wakes a missing kind when its definition appears, long after it was last asked for", async () => {
		await start().synced;
		await sleep(1200);
		server.install("gateway.networking.k8s.io", "tcproutes", ["v1alpha2"]);
		server.put("gateway.networking.k8s.io", "tcproutes", { metadata: { name: "r", namespace: "a" } });
		server.put(crds, "customresourcedefinitions", {
			metadata: { name: "tcproutes.gateway.networking.k8s.io" },
		});
		await until("the route is there", () => world.get("TCPRoute", "a", "r") !== undefined, 300);
		assert.equal(world.get("TCPRoute", "a", "r")?.apiVersion, "gateway.networking.k8s.io/v1alpha2");
	});

	test("startFeed() says how stale it is, logs the beginning and the end once, and is unready past its limit", async () => {
		entry("x", "x.example");
		const { synced, status } = start({ staleness: { noticeMs: 100, limitMs: 600 } });
		await synced;
		const { port } = server;
		await server.stop();
		await until("it is noticed", () => !status().fresh);
		assert.equal(status().ready, true);
		assert.equal(world.count("ServiceEntry"), 1);
		await until("the limit is passed", () => !status().ready, 3000);
		assert.ok(status().staleMs > 600);
		await server.listen(port);
		await until("it is ready again", () => status().ready && status().fresh, 3000);
		assert.equal(status().staleMs, 0);
		assert.deepEqual(
			logged.map(({ message }) => message),
			["watch lost, answering from the last world", "every kind is watched, the world is fresh"],
		);
	});

	test("startFeed() notices within 15 s that a watch lets nothing through any more, and says so", async () => {
		const proxy = await startTcpProxy(server.port);
		const url = new URL(`http://127.0.0.1:${proxy.port}`);
		const behind = connect({ ...server.credentials(), server: url });
		try {
			const { synced, status, stale } = start({ connection: behind });
			await synced;
			const silent = performance.now();
			proxy.freeze();
			entry("x", "x.example");
			const isNoticed = (): boolean => !status().fresh && stale()?.kinds.has("ServiceEntry") === true;
			await until("it is noticed", isNoticed, 15_000);
			assert.ok(performance.now() - silent < 15_000);
			assert.ok((stale()?.ageMs ?? 0) > 5000);
			proxy.strand();
			proxy.thaw();
			await until("the world is fresh", () => world.count("ServiceEntry") === 1 && status().fresh, 20_000);
			assert.equal(stale(), undefined);
		} finally {
			await feed?.stop();
			await behind.stop();
			await proxy.stop();
		}
	});

	test("discard() removes an object only while its kind has no watch", async () => {
		entry("x", "x.example");
		const { synced, status, discard } = start();
		await synced;
		discard("ServiceEntry", "a", "x");
		assert.equal(world.count("ServiceEntry"), 1);
		await server.stop();
		await until("the watch is lost", () => status().kinds.get("ServiceEntry")?.following === false);
		discard("ServiceEntry", "a", "x");
		assert.equal(world.count("ServiceEntry"), 0);
		await server.listen();
	});

	test("startFeed() notices that a starting API server is ready, however long it asked to wait", async () => {
		const { synced, status } = start();
		await synced;
		server.fault = (_, response) => {
			answer(response, 503, failure(503, "ServiceUnavailable", "starting"), { "retry-after": "60" });
			return true;
		};
		server.cutWatches();
		await until("it is noticed", () => status().kinds.get("ServiceEntry")?.problem === "starting");
		entry("x", "x.example");
		server.fault = undefined;
		await until("the world is fresh", () => world.count("ServiceEntry") === 1);
	});

	test("startFeed() tells what changed, and why a watch was opened again", async () => {
		const changes: string[] = [];
		const restarts: string[] = [];
		const lags: number[] = [];
		await start({
			onChange: ({ kind, name, before, after }) => {
				const [was, is] = [before, after].map((each) => each?.metadata?.resourceVersion ?? "none");
				assert.notEqual(was, is);
				changes.push(`${kind} ${name ?? "all"}${after === undefined ? " gone" : ""}`);
			},
			onRestart: (kind: Kind, reason) => restarts.push(`${kind} ${reason}`),
			onEvent: (_, lagMs) => lags.push(lagMs),
		}).synced;
		entry("x", "x.example");
		await until("the change is told", () => changes.includes("ServiceEntry x"));
		server.remove(istio, "serviceentries", "a", "x");
		await until("the deletion is told", () => changes.includes("ServiceEntry x gone"));
		// Lists that bring nothing tell nothing.
		assert.deepEqual(changes, ["ServiceEntry x", "ServiceEntry x gone"]);
		server.closeWatches();
		await until("the restart is told", () => restarts.includes("ServiceEntry closed"));
		assert.ok(lags.length > 0 && lags.every((lag) => lag >= 0 && lag < 1000));
	});
});
