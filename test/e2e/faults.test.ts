import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { startControlPlane } from "./control-plane.ts";
import { createNamespace, createWaypoint, serviceEntry, useWaypoint } from "./world.ts";

test("startControlPlane() stops and starts the API server and etcd, each on its own port", async () => {
	await using stack = new AsyncDisposableStack();
	const plane = await startControlPlane({ istiod: false });
	stack.defer(() => plane.stop());
	await createNamespace(plane, "kept");
	const readiness = async (): Promise<number> => (await plane.api.request("GET", "/readyz")).status;
	const version = (await plane.get("Namespace", undefined, "kept"))?.metadata.resourceVersion;

	await plane.stopApiServer();
	await assert.rejects(readiness(), { code: "ECONNREFUSED" });
	await plane.startApiServer();
	assert.equal((await plane.get("Namespace", undefined, "kept"))?.metadata.resourceVersion, version);

	await plane.stopEtcd();
	const change = { body: "{}", contentType: "application/merge-patch+json" };
	// Where the answer would come after the time that was asked for, the API server resets the stream.
	const write = await plane.api
		.request("PATCH", "/api/v1/namespaces/kept?timeout=1s", change)
		.catch((error: NodeJS.ErrnoException) => ({ status: error.code }));
	const isRefused = Number(write.status) >= 500 || write.status === "ERR_HTTP2_STREAM_ERROR";
	assert.ok(isRefused, `a write without etcd was answered with ${write.status}`);
	await plane.startEtcd();
	assert.equal(await readiness(), 200);

	await createNamespace(plane, "kept", { labels: { changed: "yes" } });
	await plane.compactEtcd();
	await plane.stopApiServer("SIGKILL");
	await plane.startApiServer();
	const path = `/api/v1/namespaces?watch=1&timeoutSeconds=2&resourceVersion=${version}`;
	const watch = await plane.api.request("GET", path);
	assert.match(JSON.stringify(watch.body), /"code":410/);
});

test("restartIstiod() changes the mesh configuration", async () => {
	await using stack = new AsyncDisposableStack();
	const plane = await startControlPlane();
	stack.defer(() => plane.stop());
	await createNamespace(plane, "egress");
	await createNamespace(plane, "shop");
	await createWaypoint(plane, "egress", "waypoint", { from: { from: "All" } });
	const labels = useWaypoint("waypoint", "egress");
	await plane.api.create(serviceEntry("shop", "payments", "payments.example.com", { labels }));
	assert.equal((await plane.istiod.waypointBound("shop", "payments")).status, "True");

	await plane.restartIstiod({ meshConfig: { serviceEntryVisibility: { defaultVisibility: "NAMESPACE" } } });
	const bound = await plane.istiod.waypointBound("shop", "payments");
	assert.deepEqual([bound.status, bound.reason], ["False", "CrossNamespaceWaypointForbidden"]);
	const services = await plane.istiod.ambientServices("shop", "payments");
	assert.deepEqual(
		services.map((service) => service.waypoint),
		[null],
	);
});

test("startControlPlane() leaves no process and no folder behind when its own process is killed", async () => {
	const script = `
		const { startControlPlane } = await import(${JSON.stringify(join(import.meta.dirname, "control-plane.ts"))});
		const plane = await startControlPlane({ istiod: false });
		const log = await plane.kubectl(["version", "--output=json"]);
		console.log(JSON.stringify({ folder: plane.connection.folder, code: log.code, url: plane.apiServerUrl }));
		process.stdin.on("end", () => process.exit()).resume();`;
	const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
		env: { ...process.env, NODE_TEST_CONTEXT: undefined },
		// Its standard input ends with this process: killed in the middle, the test leaves nothing either.
		stdio: ["pipe", "pipe", "inherit"],
	});
	const [chunk] = (await child.stdout.take(1).toArray()) as [Buffer];
	const { folder, code } = JSON.parse(chunk.toString()) as { folder: string; code: number };
	assert.equal(code, 0);
	child.kill("SIGKILL");
	for (const deadline = Date.now() + 5000; await exists(folder); await sleep(50)) {
		assert.ok(Date.now() < deadline, `${folder} is still there`);
	}
	// etcd and the API server have the folder in their arguments.
	const { stdout } = await promisify(execFile)("ps", ["-eo", "args"]);
	assert.deepEqual(
		stdout.split("\n").filter((args) => args.includes(folder)),
		[],
	);
});

async function exists(path: string): Promise<boolean> {
	return access(path).then(
		() => true,
		() => false,
	);
}
