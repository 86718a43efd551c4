/**
 * Mixed load on three replicas as the chart runs them, on a real API server: writes and posted reviews that must be
 * bound, refused or allowed, objects of every watched kind that come, change and go, a policy that changes every second
 * and must be in force, a new CA every minute, and a restart every minute, of the first two replicas in turn. The third
 * one is never restarted: its memory and file descriptors must be flat. Everything stays on loopback. Ends with exit
 * code 1 when a write was lost or judged wrongly, a policy came late, a replica died, or the third one grew.
 *
 * node test/e2e/mixed-load.ts [--minutes 30] [--rate 40] [--seed 1]
 */
import { readdir } from "node:fs/promises";
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { fingerprints } from "../../src/certificates/inspect.ts";
import { rotateAnnotation } from "../../src/kube/install/authority-secret.ts";
import { collectedHeapMiB } from "../support/collected-heap.ts";
import { residentMiB } from "../support/resident-memory.ts";
import { ApiError, createApi } from "./api.ts";
import { changingObjects, dice } from "./changing-objects.ts";
import { startControlPlane } from "./control-plane.ts";
import { nodeOptions, render } from "./installation.ts";
import type { Attempt, Judgement } from "./load.ts";
import { loadUntil } from "./load.ts";
import { freePorts } from "./processes.ts";
import { describeLoad, loadReplicas } from "./replica-load.ts";
import type { ServeReplica } from "./serve-replicas.ts";
import { installed, startServeReplicas } from "./serve-replicas.ts";
import { createNamespace, createWaypointByHand, serviceEntry } from "./world.ts";

const { values } = parseArgs({
	options: {
		minutes: { type: "string", default: "30" },
		rate: { type: "string", default: "40" },
		seed: { type: "string", default: "1" },
	},
});
const minutes = Number(values.minutes);
const rate = Number(values.rate);

const team = "mixed";
const spaces = ["red", "green", "blue"];
/** So many entries are written again and again: the world must not grow, or memory could not be flat. */
const entries = 400;
/** So many values of each field: what Waymark remembers of values is bounded, and filled within minutes by as few. */
const differing = 50;
/** A policy is in force when its event has arrived; a machine that is shared may take longer for that. */
const longestPolicyMs = 5_000;
/** Shares by which the last third of the run may exceed the third before it: the heap after collections, and all of it. */
const most = { heap: 1.05, resident: 1.1, descriptors: 1.25 };

await using stack = new AsyncDisposableStack();
const plane = await startControlPlane({ istiod: false });
stack.defer(() => plane.stop());
const { authority, administrator } = plane.connection;
const api = createApi({
	url: plane.apiServerUrl,
	ca: authority.certificate,
	...administrator,
	connections: 128,
});
stack.defer(() => api.close());

const policy = (turn: number): Readonly<Record<string, string>> => ({
	"egress.waymark.dev/waypoint": "istio-egress/egress",
	"egress.waymark.dev/denied-hosts": `*.evil.example turn-${turn}.example`,
});
for (const name of ["istio-system", "istio-egress", ...spaces]) {
	await createNamespace(plane, name);
}
await createWaypointByHand(plane, "istio-egress", "egress", { from: { from: "All" } });
await createNamespace(plane, team, {
	labels: { "istio.io/dataplane-mode": "ambient" },
	annotations: policy(0),
});
const options = nodeOptions(await render(plane, `--namespace=${installed.namespace}`));
const fleet = await startServeReplicas(plane, plane.processes, {
	args: ["--audit"],
	// The heap of the chart's pods, and a log that a run of hours may write.
	env: {
		NODE_OPTIONS: options,
		WAYMARK_LOG_LEVEL: "warn",
	},
});
stack.defer(() => fleet.stop());

let isOver = false;
const faults: string[] = [];
const begun = performance.now();
const over = sleep(minutes * 60_000).then(() => {
	isOver = true;
});

async function every(ms: number, act: (turn: number) => Promise<void>): Promise<void> {
	for (let turn = 1; !isOver; turn += 1) {
		await Promise.race([over, sleep(ms)]);
		if (!isOver) {
			await act(turn).catch((error: unknown) => faults.push(String(error)));
		}
	}
}

function judgement(letter: string): Judgement {
	const nth = (index: number): string => `${letter}-${index % entries}`;
	return {
		// Another host at every round, so that an update changes something.
		good: (index) =>
			serviceEntry(team, nth(index), `${nth(index)}-${Math.floor(index / entries) % 2}.good.example`),
		label: "istio.io/use-waypoint-namespace",
		bad: (index) => serviceEntry(team, nth(index), `${nth(index)}.evil.example`),
		denial: "serviceentry-policy-host",
	};
}

const roll = dice(Number(values.seed));
const pick = <T>(list: readonly T[]): T => list[Math.floor(roll(list.length))] as T;

/** Writes or deletes an object of any watched kind: what is refused by a rule is as right as what is stored. */
const change: Attempt = async () => {
	const made = pick(changingObjects)(`object-${Math.floor(roll(12))}`, Math.floor(roll(differing)));
	const namespace = pick(spaces);
	const kind = made.apiVersion.includes("/") ? `${made.kind}.${made.apiVersion.split("/")[0]}` : made.kind;
	try {
		if (made.kind === "Namespace") {
			await api.apply(made);
		} else if (roll(1) < 0.3) {
			await api.delete(kind, namespace, made.metadata.name ?? "");
		} else {
			await api.apply({ ...made, metadata: { ...made.metadata, namespace } });
		}
		return { kind: "right" };
	} catch (error) {
		const detail = String(error);
		const isRefused = error instanceof ApiError && /"[a-z-]+\.waymark\.dev" denied the request/.test(detail);
		if (isRefused) {
			return { kind: "right" };
		}
		return { kind: detail.includes("failed calling webhook") ? "failed" : "wrong", detail };
	}
};

const inForceMs: number[] = [];

/** Changes the team's policy, and waits until the API server's answers follow it. */
async function changePolicy(turn: number): Promise<void> {
	await api.patch("Namespace", undefined, team, { metadata: { annotations: policy(turn) } });
	const start = performance.now();
	const probe = serviceEntry(team, "probe", `turn-${turn}.example`);
	for (;;) {
		const isRefused = await api.create(probe, { dryRun: true }).then(
			() => false,
			(error: unknown) => {
				if (String(error).includes("serviceentry-policy-host")) {
					return true;
				}
				throw error;
			},
		);
		const took = performance.now() - start;
		if (isRefused) {
			inForceMs.push(took);
			return;
		}
		if (took > longestPolicyMs) {
			throw new Error(`A policy was not in force after ${longestPolicyMs} ms`);
		}
		await sleep(5);
	}
}

const authorities = new Set<string>();

/** Asks for the next CA; the replicas switch to it when every webhook has had it for a while. */
async function rotate(): Promise<void> {
	const secret = await api.get("Secret", installed.namespace, installed.secret);
	const { "ca.crt": encoded = "" } = (secret?.data ?? {}) as Readonly<Record<string, string>>;
	authorities.add(fingerprints(Buffer.from(encoded, "base64").toString())[0] ?? "");
	await api.patch("Secret", installed.namespace, installed.secret, {
		metadata: { annotations: { [rotateAnnotation]: "now" } },
	});
}

let restarts = 0;

async function restart(turn: number): Promise<void> {
	const replica = fleet.replicas[turn % 2];
	const ended = await replica?.stop();
	if (ended !== "code 0") {
		faults.push(`A replica ended with ${ended}`);
	}
	await replica?.start();
	restarts += 1;
}

/** What a process takes: MiB resident and of the JavaScript heap after a collection, and open file descriptors. */
interface Footprint {
	readonly resident: number;
	readonly heap: number;
	readonly descriptors: number;
}

const [inspected = 0] = await freePorts(1);
const [, , third] = fleet.replicas;
if (third === undefined) {
	throw new Error("Cannot look at the third replica: there is none");
}
await third.stop();
await third.start({ env: { NODE_OPTIONS: `${options} --inspect=127.0.0.1:${inspected}` } });
const footprints: Footprint[] = [];
let heap = await collectedHeapMiB(inspected);

/** Once a minute: collected more often, the heap would be another than that of a replica that nobody looks at. */
async function collect(): Promise<void> {
	heap = await collectedHeapMiB(inspected);
}

async function look({ process: running }: ServeReplica): Promise<void> {
	const { pid } = running();
	const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
	footprints.push({ resident: residentMiB(pid), heap, descriptors });
}

/** The most that the third replica took from one look to another. */
function summary(from: number, to: number): Footprint {
	const some = footprints.slice(from, to);
	return {
		heap: Math.max(...some.map((each) => each.heap)),
		resident: Math.max(...some.map(({ resident }) => resident)),
		descriptors: Math.max(...some.map(({ descriptors }) => descriptors)),
	};
}

function described(most: Footprint): string {
	return `heap ${most.heap.toFixed(1)} MiB after collections, ${most.resident.toFixed(0)} MiB resident, ${most.descriptors} descriptors at most`;
}

async function tell(): Promise<void> {
	const passed = Math.round((performance.now() - begun) / 60_000);
	const now = described(summary(-12, footprints.length));
	console.log(`${passed} min: ${now}; load ${loadavg()[0]?.toFixed(1)}`);
}

const side = [
	every(1_000, changePolicy),
	every(60_000, rotate),
	every(60_000, restart),
	every(60_000, collect),
	every(5_000, () => look(third)),
	every(60_000, tell),
];
const [load, changes] = await Promise.all([
	loadReplicas(fleet, api, { applied: rate, posted: rate / 4 }, judgement, over),
	loadUntil(rate / 4, change, over),
]);
await Promise.all(side);

const [before, last] = [
	summary(Math.floor(footprints.length / 3), Math.floor((footprints.length * 2) / 3)),
	summary(Math.floor((footprints.length * 2) / 3), footprints.length),
];
for (const line of describeLoad(load)) {
	console.log(line);
}
console.log(`changes: ${changes.asked} asked, ${changes.failed} failed, ${changes.wrong} wrong`);
console.log(
	`${restarts} restarts, ${authorities.size} authorities; ${inForceMs.length} policies in force, the slowest after ${Math.max(0, ...inForceMs).toFixed(0)} ms`,
);
console.log(`second third: ${described(before)}`);
console.log(`last third: ${described(last)}`);
const examples = [load.applied, load.kept, load.fresh, changes].flatMap((counts) => counts.examples);
for (const fault of [...examples, ...faults].slice(0, 20)) {
	console.log(fault);
}
const lost = [load.applied, load.kept, load.fresh, changes].some(
	({ failed, wrong, unanswered }) => failed + wrong + unanswered > 0,
);
const missed = [
	...(lost ? ["a write was lost or judged wrongly"] : []),
	...(faults.length > 0 ? [`${faults.length} faults`] : []),
	...(["heap", "resident", "descriptors"] as const)
		.filter((what) => !(last[what] <= before[what] * most[what]))
		.map((what) => `${what} grew from ${before[what].toFixed(1)} to ${last[what].toFixed(1)}`),
];
console.log(missed.length === 0 ? "Every target was met" : `Missed: ${missed.join("; ")}`);
process.exitCode = missed.length === 0 ? 0 : 1;
await stack.disposeAsync();
// Once, Node 24 spun for ever while it closed what was left of half an hour of connections.
process.exit();
