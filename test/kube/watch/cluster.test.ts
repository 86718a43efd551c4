import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultSettings } from "../../../src/core/settings.ts";
import { followCluster } from "../../../src/kube/watch/cluster.ts";
import type { Change } from "../../../src/kube/watch/feed.ts";
import { FakeApiServer } from "../../support/fake-api-server.ts";
import { until } from "../../support/until.ts";

const istio = "networking.istio.io";

test("followCluster() keeps what it follows in any case, whoever else follows the kind for a time", async () => {
	const server = new FakeApiServer();
	server.install("", "namespaces", ["v1"]);
	server.install("", "configmaps", ["v1"]);
	server.install(istio, "serviceentries", ["v1"]);
	server.install(istio, "sidecars", ["v1"]);
	server.install("apiextensions.k8s.io", "customresourcedefinitions", ["v1"]);
	await server.listen();
	server.put(istio, "serviceentries", {
		metadata: { name: "x", namespace: "a" },
		spec: { hosts: ["x.example"] },
	});
	server.put(istio, "sidecars", { metadata: { name: "y", namespace: "a" }, spec: {} });
	const cluster = followCluster({
		credentials: server.credentials(),
		kinds: ["Namespace", "ServiceEntry"],
		settings: defaultSettings,
		log: { info() {}, warn() {} },
		budgetBytes: 1e9,
	});
	try {
		await cluster.synced;
		const changes: Change[] = [];
		const more = cluster.followMore(["ServiceEntry", "Sidecar"], (change) => changes.push(change));
		await more.synced;
		await until("the further kind is there", () => cluster.state.count("Sidecar") === 1);
		assert.deepEqual(
			changes.map(({ kind, name }) => `${kind} ${name}`),
			["Sidecar y"],
		);
		await more.stop();
		assert.deepEqual([cluster.state.count("ServiceEntry"), cluster.state.count("Sidecar")], [1, 0]);

		const none = cluster.followMore(["ServiceEntry"], () => {});
		await none.synced;
		await none.stop();
		assert.equal(cluster.state.count("ServiceEntry"), 1);
	} finally {
		await cluster.stop();
		await server.stop();
	}
});
