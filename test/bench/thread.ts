/**
 * What verdicts in a thread of their own would cost: handing a review over and the answer back, a second world, and the
 * time until the thread knows what the loop knows; beside what the same verdict takes on the loop (decision 0016).
 *
 * node test/bench/thread.ts [--entries 100000]
 */

import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { AnyObject, ServiceEntry } from "../../src/core/kinds.ts";
import { keepBounded, projectionOf } from "../../src/kube/watch/projection.ts";
import { egressNamespace, egressWaypoint, plainEntry, teamNamespace } from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { subjectOf, world } from "../support/rule-example.ts";
import { worstObjects } from "../support/worst-objects.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const engine = createEngine(rules);
const surroundings = [teamNamespace, egressNamespace, egressWaypoint];

interface Said {
	readonly decision: string;
	readonly findings: number;
}

function judge(state: ClusterState, text: string): Said {
	const verdict = evaluate(engine, state, subjectOf(JSON.parse(text) as AnyObject));
	return { decision: verdict.decision, findings: verdict.findings.length };
}

function median(values: readonly number[]): string {
	return (values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0).toFixed(1);
}

function cpuMs(): number {
	const { user, system } = process.cpuUsage();
	return (user + system) / 1_000;
}

function heapMiB(): number {
	collect();
	return process.memoryUsage().heapUsed / 1024 / 1024;
}

/** A world of plain entries, ten a namespace, as a watch keeps them. */
function filled(entries: number): ClusterState {
	const state = new ClusterState();
	const keep = projectionOf(
		"ServiceEntry",
		keepBounded(256 * 1024 * 1024, () => 0),
	);
	for (let index = 0; index < entries; index++) {
		const raw = JSON.parse(
			JSON.stringify({
				...plainEntry,
				metadata: {
					name: `entry-${index}`,
					namespace: `team-${Math.floor(index / 10)}`,
					uid: `705ab4f5-6393-11e8-b7cc-${String(index).padStart(12, "0")}`,
					resourceVersion: String(1_000 + index),
					labels: { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" },
				},
				spec: { ...plainEntry.spec, hosts: [`h${index}.example.com`] },
			}),
		) as unknown;
		const kept = keep(raw, "v1");
		if (kept !== undefined) {
			state.set("ServiceEntry", kept as ServiceEntry);
		}
	}
	return state;
}

if (!isMainThread) {
	const state = world(surroundings);
	parentPort?.on("message", (text: string) => parentPort?.postMessage(judge(state, text)));
} else {
	const { values } = parseArgs({ options: { entries: { type: "string", default: "100000" } } });
	const state = world(surroundings);
	const begun = performance.now();
	const worker = new Worker(new URL(import.meta.url));
	const ask = (text: string): Promise<Said> =>
		new Promise((resolve) => {
			worker.once("message", resolve);
			worker.postMessage(text);
		});
	await ask(JSON.stringify(plainEntry));
	console.log(`a thread begins to answer after ${(performance.now() - begun).toFixed(0)} ms`);
	for (const [what, object] of Object.entries({ "the plain entry": plainEntry, ...worstObjects })) {
		const text = JSON.stringify(object);
		const here: number[] = [];
		const parsing: number[] = [];
		const posting: number[] = [];
		const there: number[] = [];
		let cold = 0;
		for (let round = 0; round < 15; round++) {
			const start = cpuMs();
			JSON.parse(text);
			const parsed = cpuMs();
			judge(state, text);
			const judged = cpuMs();
			parsing.push(parsed - start);
			here.push(judged - parsed - (parsed - start));
			cold ||= judged - parsed;
			const asked = performance.now();
			const posted = cpuMs();
			const answer = ask(text);
			posting.push(cpuMs() - posted);
			await answer;
			there.push(performance.now() - asked);
		}
		console.log(
			`${what} (${Math.round(text.length / 1024)} KiB): ${median(here)} ms of CPU on the loop (the first ${cold.toFixed(1)}), JSON.parse ${median(parsing)}; posting it to a thread ${median(posting)} ms of CPU, answered after ${median(there)} ms`,
		);
	}
	await worker.terminate();
	const entries = Number(values.entries);
	const before = heapMiB();
	const start = process.cpuUsage();
	const large = filled(entries);
	const { user, system } = process.cpuUsage(start);
	const heap = heapMiB() - before;
	console.log(
		`${large.count("ServiceEntry")} plain entries: ${heap.toFixed(0)} MiB of heap, made and indexed in ${((user + system) / 1_000).toFixed(0)} ms of CPU`,
	);
	process.exitCode = heap > 200 * 0.954 && entries <= 100_000 ? 1 : 0;
}
