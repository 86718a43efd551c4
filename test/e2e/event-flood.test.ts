import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { residentMiB } from "../support/resident-memory.ts";
import { worstObjects } from "../support/worst-objects.ts";
import type { Api, KubeObject } from "./api.ts";
import { ApiError, createApi } from "./api.ts";
import type { OwnControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import { nodeOptions, render } from "./installation.ts";
import type { Judgement } from "./load.ts";
import { describeLoad, loadReplicas } from "./replica-load.ts";
import { installed, metric, startServeReplicas } from "./serve-replicas.ts";
import { createBoundNamespaces, createNamespace, serviceEntry } from "./world.ts";

/** How long events are made as fast as the API server can: it takes all of a machine for so long. */
const seconds = Number(process.env.WAYMARK_FLOOD_SECONDS ?? "0");
/** What the others may wait, at the 99th percentile, and how long `/livez` may take, in milliseconds. */
const longest = { review: 250, live: 1_000 };
/** What the chart's pods may take, in MiB. */
const mostResident = 256;

const team = "flooded";
const hostile = "flood";
let plane: OwnControlPlane;
let api: Api;

/** Stores the worst objects that Istio's CRDs admit, before anybody judges; gives their paths. */
async function storeWorst(): Promise<readonly string[]> {
	const paths: string[] = [];
	for (const [index, object] of Object.values(worstObjects).entries()) {
		const stored = object as unknown as KubeObject;
		const name = `worst-${index}`;
		try {
			await api.apply({ ...stored, metadata: { ...stored.metadata, name, namespace: hostile } });
			const plural = stored.kind === "ServiceEntry" ? "serviceentries" : "virtualservices";
			paths.push(`/apis/${stored.apiVersion}/namespaces/${hostile}/${plural}/${name}`);
		} catch (error) {
			// What Istio's schema refuses nobody can make events of.
			assert.ok(error instanceof ApiError, String(error));
		}
	}
	return paths;
}

const judgement = (letter: string): Judgement => ({
	good: (index) => serviceEntry(team, `${letter}-${index % 50}`, `${letter}-${index % 50}.good.example`),
	label: "istio.io/use-waypoint-namespace",
	bad: (index) => serviceEntry(team, `${letter}-${index % 50}`, `${letter}-${index % 50}.evil.example`),
	denial: "serviceentry-policy-host",
});

describe("three replicas under a flood of events", {
	skip: seconds > 0 ? false : "it takes a quiet machine for a minute: WAYMARK_FLOOD_SECONDS=60",
}, () => {
	before(async () => {
		plane = await startControlPlane({ istiod: false });
		const { authority, administrator } = plane.connection;
		api = createApi({
			url: plane.apiServerUrl,
			ca: authority.certificate,
			...administrator,
			connections: 128,
		});
		await createNamespace(plane, "istio-system");
		await createBoundNamespaces(plane, "istio-egress/egress", [team, hostile], {
			"egress.waymark.dev/denied-hosts": "*.evil.example",
		});
	});

	after(async () => {
		await api.close();
		await plane.stop();
	});

	test("A flood of events of the worst objects holds up nobody's review, nor /livez, and takes no more memory than the pods have", async (context) => {
		const worst = await storeWorst();
		assert.ok(worst.length >= 4, `only ${worst.length} of the worst objects can be stored`);
		const fleet = await startServeReplicas(plane, plane.processes, {
			args: ["--audit"],
			env: { NODE_OPTIONS: nodeOptions(await render(plane, `--namespace=${installed.namespace}`)) },
		});
		context.after(() => fleet.stop());

		let isOver = false;
		const over = sleep(seconds * 1_000).then(() => {
			isOver = true;
		});
		const counts = { events: 0, judged: 0, refused: 0 };
		/** A status is written past every webhook, and its event carries the whole object; a label is judged as well. */
		const flood = async (path: string, index: number): Promise<void> => {
			for (let turn = 0; !isOver; turn += 1) {
				const isJudged = turn % 5 === 0;
				const body = isJudged
					? { metadata: { labels: { turn: `${turn}` } } }
					: { status: { conditions: [{ type: "Flood", status: "True", message: `${index}-${turn}` }] } };
				const answer = await api.request("PATCH", isJudged ? path : `${path}/status`, {
					body,
					contentType: "application/merge-patch+json",
				});
				counts.events += answer.status === 200 ? 1 : 0;
				counts.judged += isJudged ? 1 : 0;
				counts.refused += answer.status === 200 ? 0 : 1;
			}
		};
		let liveMs = 0;
		let resident = 0;
		const look = async (): Promise<void> => {
			while (!isOver) {
				for (const replica of fleet.replicas) {
					const start = performance.now();
					const answer = await fetch(`${replica.operations}/livez`);
					assert.equal(answer.status, 200);
					await answer.arrayBuffer();
					liveMs = Math.max(liveMs, performance.now() - start);
					resident = Math.max(resident, residentMiB(replica.process().pid));
				}
				await sleep(100);
			}
		};
		const pids = fleet.replicas.map((replica) => replica.process().pid);
		const [load] = await Promise.all([
			loadReplicas(fleet, api, { applied: 20, posted: 20 }, judgement, over),
			look(),
			...worst.map(flood),
		]);
		for (const line of describeLoad(load)) {
			context.diagnostic(line);
		}
		const delays = await Promise.all(
			fleet.replicas.map((replica) => metric(replica, "waymark_event_loop_delay_seconds")),
		);
		context.diagnostic(
			`${(counts.events / seconds).toFixed(0)} events a second of ${worst.length} objects, ${counts.judged} of them judged, ${counts.refused} refused; /livez at most ${liveMs.toFixed(0)} ms, ${resident.toFixed(0)} MiB resident at most, loops late by ${delays.join(", ")} s at the end`,
		);
		assert.ok(counts.events > seconds, "there was no flood");
		for (const { asked, failed, wrong, unanswered, examples } of Object.values(load)) {
			assert.deepEqual([failed, wrong, unanswered], [0, 0, 0], `of ${asked}: ${examples.join("\n")}`);
		}
		assert.deepEqual(
			fleet.replicas.map((replica) => replica.process().isRunning()),
			pids.map(() => true),
		);
		assert.ok(resident <= mostResident, `${resident} MiB`);
		assert.ok(load.kept.p99Ms <= longest.review, `p99 ${load.kept.p99Ms} ms`);
		assert.ok(liveMs <= longest.live, `/livez ${liveMs} ms`);
	});
});
