/**
 * With 5,000 Namespaces: how long an annotation and a waypoint's deletion take to be in force, and what memory the
 * policies and the table cost the API server, beside what Waymark costs it without them.
 *
 * node test/e2e/backstop-namespaces.ts [NAMESPACES] [ROUNDS]
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Namespace, ServiceEntry } from "../../src/core/kinds.ts";
import type { KubeObject } from "./api.ts";
import { dryCreate, messageOf } from "./backstop-parity.ts";
import { startControlPlane } from "./control-plane.ts";
import { startServeReplicas } from "./serve-replicas.ts";
import { createNamespace, createWaypointByHand, serviceEntry } from "./world.ts";

const count = Number(process.argv[2] ?? 5_000);
const rounds = Number(process.argv[3] ?? 200);
const shared = "many-egress";
const bounds = { annotationMs: 50, waypointMs: 1_000, memoryMiB: 40 };

await using stack = new AsyncDisposableStack();
const plane = await startControlPlane({ istiod: false });
stack.defer(() => plane.stop());
await createNamespace(plane, shared);
await createWaypointByHand(plane, shared, "egress", { from: { from: "All" } });
const nameOf = (index: number): string => `many-${index}`;
const namespace = (index: number, waypoint: string): Namespace => ({
	apiVersion: "v1",
	kind: "Namespace",
	metadata: {
		name: nameOf(index),
		labels: { "istio.io/dataplane-mode": "ambient" },
		annotations: {
			"egress.waymark.dev/waypoint": `${shared}/${waypoint}`,
			"egress.waymark.dev/allowed-hosts": "*.example.com, *.example.net",
		},
	},
});
for (let index = 0; index < count; index += 16) {
	await Promise.all(
		Array.from({ length: Math.min(16, count - index) }, (_, more) =>
			plane.api.create(namespace(index + more, index + more === 1 ? "gone" : "egress") as KubeObject),
		),
	);
}
await sleep(5_000);
const empty = await heapMiB();
// Whatever the mode, Waymark watches some thirty kinds, and the API server keeps a cache of each from then on.
const without = await startServeReplicas(plane, plane.processes, {
	count: 1,
	values: ["istio.readConfig=false"],
});
await sleep(5_000);
await without.stop();
await sleep(5_000);
const before = await heapMiB();
const installed = await startServeReplicas(plane, plane.processes, {
	count: 1,
	values: ["backstop.mode=full", "istio.readConfig=false"],
	args: ["--backstop=full"],
});
stack.defer(() => installed.stop());

const entryIn = (index: number): ServiceEntry =>
	serviceEntry(nameOf(index), "payments", "api.example.com") as unknown as ServiceEntry;
const ofAnnotation = entryIn(0);
const ofWaypoint = entryIn(1);
await until(() => isRefusedFor(ofWaypoint, "serviceentry-waypoint-existence"), 60_000);
await until(async () => (await dryCreate(plane, ofAnnotation)).status === 201, 60_000);

const annotation: number[] = [];
for (let round = 0; round < rounds; round++) {
	const allowed = round % 2 === 0 ? "*.example.org" : "*.example.com";
	await plane.api.patch("Namespace", undefined, nameOf(0), {
		metadata: { annotations: { "egress.waymark.dev/allowed-hosts": allowed } },
	});
	annotation.push(
		await until(
			async () => (await isRefusedFor(ofAnnotation, "serviceentry-policy-host")) === (round % 2 === 0),
			10_000,
		),
	);
}
const gone: number[] = [];
for (let round = 0; round < rounds / 4; round++) {
	await createWaypointByHand(plane, shared, "gone", { from: { from: "All" } });
	await until(async () => !(await isRefusedFor(ofWaypoint, "serviceentry-waypoint-existence")), 20_000);
	await plane.api.delete("Gateway.gateway.networking.k8s.io", shared, "gone");
	gone.push(await until(() => isRefusedFor(ofWaypoint, "serviceentry-waypoint-existence"), 20_000));
}
const memory = (await heapMiB()) - before;
tell(`annotation in force, ${annotation.length} changes`, annotation, bounds.annotationMs);
tell(`waypoint gone in force, ${gone.length} deletions`, gone, bounds.waypointMs);
console.log(
	`${memory <= bounds.memoryMiB ? "ok  " : "MISS"} heap of the API server after a collection: ${memory.toFixed(1)} MiB more than without the backstop (target ${bounds.memoryMiB}), which took ${(before - empty).toFixed(1)} more than the ${empty.toFixed(1)} without Waymark`,
);

/** Since the change, to the sending of the first write that is judged by it. */
async function until(holds: () => Promise<boolean>, deadlineMs: number): Promise<number> {
	const begun = performance.now();
	for (;;) {
		const sent = performance.now() - begun;
		if (await holds()) {
			return sent;
		}
		if (sent > deadlineMs) {
			throw new Error("Cannot see the change in force");
		}
	}
}

async function isRefusedFor(entry: ServiceEntry, rule: string): Promise<boolean> {
	const answer = await dryCreate(plane, entry);
	return answer.status === 403 && messageOf(answer).includes(rule);
}

/** Asking for the profile of the heap has garbage collected first. */
async function heapMiB(): Promise<number> {
	await plane.api.request("GET", "/debug/pprof/heap?gc=1&debug=0", { accept: "*/*" });
	const { body } = await plane.api.request("GET", "/metrics", { accept: "text/plain" });
	const bytes = /^go_memstats_heap_alloc_bytes (\S+)$/m.exec(String(body))?.[1];
	return Number(bytes) / 2 ** 20;
}

function tell(what: string, taken: readonly number[], target: number): void {
	const sorted = taken.toSorted((a, b) => a - b);
	const at = (share: number): string =>
		(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(0);
	console.log(
		`${Number(at(0.99)) <= target ? "ok  " : "MISS"} ${what}: p50 ${at(0.5)}, p99 ${at(0.99)}, at most ${sorted.at(-1)?.toFixed(0)} ms (target p99 ${target})`,
	);
}
