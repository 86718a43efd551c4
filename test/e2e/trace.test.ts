import assert from "node:assert/strict";
import { test } from "node:test";
import { traceAll } from "../../src/trace/hosts.ts";
import { runVerb } from "../support/run-verb.ts";
import { readWorld } from "./read-world.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry, useWaypoint } from "./world.ts";

const plane = await useControlPlane();

async function trace(...argv: readonly string[]): Promise<string> {
	const { code, out, error } = await runVerb("trace", ...argv, "--cluster", "--kubeconfig", plane.kubeconfig);
	assert.equal(code, 0, error);
	return out;
}

test("trace --cluster shows the way through a live cluster, and changes nothing in it", async () => {
	await using stack = new AsyncDisposableStack();
	stack.defer(() => deleteNamespaces(plane, "trace-team", "trace-egress"));
	await createNamespace(plane, "trace-team", { labels: { "istio.io/dataplane-mode": "ambient" } });
	await createNamespace(plane, "trace-egress");
	await createWaypoint(plane, "trace-egress", "waypoint", { from: { from: "All" } });
	const labels = useWaypoint("waypoint", "trace-egress");
	await plane.api.create(serviceEntry("trace-team", "payments", "api.trace.example.com", { labels }));
	await plane.istiod.settle();
	const before = await plane.get("ServiceEntry.networking.istio.io", "trace-team", "payments");

	const text = await trace("api.trace.example.com:443", "--from", "trace-team");
	assert.match(text, /ztunnel knows it by an address that Istio allocates: 240\.240\./);
	assert.match(text, /→ through trace-egress\/waypoint\n$/);
	const unknown = await trace("203.0.113.250:443", "--from", "trace-team");
	assert.match(
		unknown,
		/No ServiceEntry has the address 203\.0\.113\.250, so ztunnel passes the connection on/,
	);
	assert.match(
		unknown,
		/→ unknown to the mesh: 203\.0\.113\.250 is reached directly, past every waypoint\n$/,
	);
	const report = JSON.parse(await trace("--all", "--output", "json")) as { readonly hosts: unknown };
	assert.deepEqual(report.hosts, traceAll(await readWorld(plane)));

	const after = await plane.get("ServiceEntry.networking.istio.io", "trace-team", "payments");
	assert.equal(after?.metadata.resourceVersion, before?.metadata.resourceVersion);
});
