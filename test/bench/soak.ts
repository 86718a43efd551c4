/**
 * Mixed load on three replicas behind a balancer, for as long as you like: reviews that must be allowed, refused or
 * patched; hostile clients that post the worst objects (test/support/worst-objects.ts), as fast as they can or with a
 * pause, and take no notice of Retry-After; a policy that changes every second; certificates of a new CA, and a replica
 * that is restarted, every minute. Everything stays on loopback. Ends with exit code 1 when a review was answered wrongly
 * or not at all, a replica died, the others' p99 is over 250 ms, or the memory of the replicas grew.
 *
 * Load, balancer and replicas share the machine's processors, so it says too how much of a wait was whose: what was
 * answered at the first try, what had been sent elsewhere (503, a second's wait), how late the loop of this process was, and
 * what the replicas' own histograms say. The replicas have the memory that image and chart give them.
 *
 * node test/bench/soak.ts [--seconds 300] [--reviews 600000] [--rate 100] [--hostile 4] [--pause MS]
 *
 * Ten minutes at full speed: --seconds 600 --reviews 600000 --rate 1100 --hostile 2 --pause 200
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { createAuthority, issueCertificate } from "../../src/certificates/authority.ts";
import { joinBundle } from "../../src/certificates/inspect.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../../src/rules/examples.ts";
import { startBalancer } from "../support/balancer.ts";
import { residentMiB } from "../support/resident-memory.ts";
import { reviewOf } from "../support/reviews.ts";
import type { ServeProcess } from "../support/serve-process.ts";
import { startServe } from "../support/serve-process.ts";
import { worstObjects } from "../support/worst-objects.ts";

const { values } = parseArgs({
	options: {
		seconds: { type: "string", default: "300" },
		reviews: { type: "string", default: "600000" },
		rate: { type: "string", default: "100" },
		hostile: { type: "string", default: "4" },
		pause: { type: "string", default: "0" },
	},
});
const seconds = Number(values.seconds);
const mostReviews = Number(values.reviews);

/** As long as an API server waits for a webhook of the chart. */
const timeoutMs = 5_000;
const stops: (() => unknown)[] = [];
const cwd = mkdtempSync(join(tmpdir(), "waymark-soak-"));
stops.push(() => rmSync(cwd, { recursive: true }));
const world = join(cwd, "world");
const certificates = join(cwd, "certificates");
mkdirSync(world);
mkdirSync(certificates);

let trusted = "";
async function rotate(): Promise<void> {
	const now = new Date();
	const authority = await createAuthority({ now });
	const { cert, key } = await issueCertificate(authority, { names: ["127.0.0.1"], now });
	// The last two are enough: a new one is served within seconds.
	trusted = joinBundle([authority.cert, ...trusted.split(/(?<=-----END CERTIFICATE-----\n)/).slice(0, 2)]);
	agent = new Agent({ keepAlive: true, maxSockets: 64, ca: trusted });
	for (const [name, text] of [
		["tls.key", key],
		["tls.crt", cert],
		["ca.crt", authority.cert],
	] as const) {
		writeFileSync(join(certificates, name), text);
	}
}

function writePolicy(turn: number): void {
	const annotations = {
		"egress.waymark.dev/waypoint": "istio-egress/egress",
		"egress.waymark.dev/denied-hosts": `*.evil.example, turn-${turn}.example`,
	};
	const objects = [withAnnotations(teamNamespace, annotations), egressNamespace, egressWaypoint];
	writeFileSync(join(world, "world.yaml"), objects.map((object) => stringify(object)).join("---\n"));
}

let agent = new Agent();
await rotate();
writePolicy(0);

const start = (): Promise<ServeProcess> =>
	startServe({ after: (stop) => void stops.push(stop) }, ["--world", world, "--certificates", certificates], {
		cwd,
		env: { LOG_LEVEL: "error", NODE_OPTIONS: "--max-old-space-size=160 --max-semi-space-size=4" },
	});
const replicas: { serve: ServeProcess; isUp: boolean }[] = [];
for (let index = 0; index < 3; index += 1) {
	replicas.push({ serve: await start(), isUp: true });
}
const balancer = await startBalancer({
	backends: () =>
		replicas.map((replica) => ({
			host: "127.0.0.1",
			port: Number(new URL(replica.serve.url).port),
			isReady: async () =>
				replica.isUp &&
				(await fetch(`${replica.serve.operations}/readyz`).catch(() => undefined))?.ok === true,
		})),
});

interface Answer {
	readonly status: number;
	readonly text: string;
}

function post(path: string, body: string, using: Agent): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
		const call = request(
			{ host: "127.0.0.1", port: balancer.port, path, method: "POST", agent: using, headers },
			async (response) => {
				const chunks = await response.toArray().catch(reject);
				resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks ?? []).toString() });
			},
		);
		call.setTimeout(timeoutMs, () => call.destroy(new Error("no answer in time")));
		call.on("error", reject);
		call.end(body);
	});
}

/** Asks as an API server does: again after Retry-After, and where a kept connection had been closed. */
async function ask(path: string, body: string): Promise<Answer | Error> {
	const end = performance.now() + timeoutMs;
	let last: Answer | Error = new Error("not asked");
	while (performance.now() < end) {
		try {
			last = await post(path, body, agent);
			if (last.status !== 503) {
				return last;
			}
			counts.retried += 1;
			await sleep(1_000);
		} catch (error) {
			last = error instanceof Error ? error : new Error(String(error));
			counts.reconnected += 1;
			await sleep(10);
		}
	}
	return last;
}

interface Review {
	readonly path: string;
	readonly body: string;
	readonly expected: RegExp;
}

const evil = withSpec(boundEntry, { hosts: ["www.evil.example"] });
const mix: readonly Review[] = [
	{ path: "/mutate?timeout=5s", body: JSON.stringify(reviewOf(plainEntry)), expected: /"patch":/ },
	{ path: "/validate?timeout=5s", body: JSON.stringify(reviewOf(boundEntry)), expected: /"allowed":true/ },
	{
		path: "/validate?timeout=5s",
		body: JSON.stringify(reviewOf(evil)),
		expected: /serviceentry-policy-host/,
	},
	{ path: "/validate?timeout=5s", body: JSON.stringify(reviewOf(plainEntry)), expected: /waypoint-binding/ },
];
const worst = Object.values(worstObjects).map((object) => JSON.stringify(reviewOf(object)));
/** The longest that the others may wait, at the 99th percentile. */
const longestWaitMs = 250;

const counts = {
	reviews: 0,
	wrong: 0,
	unanswered: 0,
	retried: 0,
	reconnected: 0,
	hostile: 0,
	hostileJudged: 0,
	restarts: 0,
	deaths: 0,
};
const tookMs: number[] = [];
/** Those that were not asked again after a second, and those that were. */
const atOnceMs: number[] = [];
const againMs: number[] = [];
const liveMs: number[] = [];
const faults: string[] = [];
let isOver = false;

async function askOne(): Promise<void> {
	const { path, body, expected } = mix[counts.reviews % mix.length] as Review;
	counts.reviews += 1;
	const begun = performance.now();
	const answer = await ask(path, body);
	const took = performance.now() - begun;
	tookMs.push(took);
	(took < 1_000 ? atOnceMs : againMs).push(took);
	if (answer instanceof Error || answer.status !== 200) {
		counts.unanswered += 1;
		faults.push(answer instanceof Error ? answer.message : `${answer.status} ${answer.text}`);
	} else if (!expected.test(answer.text)) {
		counts.wrong += 1;
		faults.push(answer.text.slice(0, 300));
	}
}

/** Opens the load at a fixed rate, whatever the answers take; at most 64 at the same time. */
async function load(): Promise<void> {
	const begun = performance.now();
	const asking = new Set<Promise<void>>();
	while (!isOver && counts.reviews < mostReviews) {
		const due = ((performance.now() - begun) / 1000) * Number(values.rate);
		while (counts.reviews < Math.min(due, mostReviews) && asking.size < 64) {
			const one = askOne().finally(() => asking.delete(one));
			asking.add(one);
		}
		await sleep(2);
	}
	await Promise.all(asking);
}

async function attack(): Promise<void> {
	while (!isOver) {
		counts.hostile += 1;
		const body = worst[counts.hostile % worst.length] ?? "";
		const answer = await post("/validate?timeout=5s", body, agent).catch(() => undefined);
		counts.hostileJudged += answer?.status === 200 ? 1 : 0;
		await sleep(Math.max(answer === undefined ? 10 : 0, Number(values.pause)));
	}
}

async function every(ms: number, what: (turn: number) => unknown): Promise<void> {
	for (let turn = 1; !isOver; turn += 1) {
		for (const end = performance.now() + ms; !isOver && performance.now() < end; ) {
			await sleep(Math.min(ms, 200));
		}
		if (!isOver) {
			await what(turn);
		}
	}
}

async function restart(turn: number): Promise<void> {
	const replica = replicas[turn % replicas.length];
	if (replica !== undefined) {
		replica.isUp = false;
		await sleep(500);
		await replica.serve.end();
		replica.serve = await start();
		replica.isUp = true;
		counts.restarts += 1;
	}
}

async function live(): Promise<void> {
	const begun = performance.now();
	const serve = replicas[liveMs.length % replicas.length]?.serve;
	const answer = await fetch(`${serve?.operations}/livez`).catch(() => undefined);
	if (answer?.ok === true) {
		liveMs.push(performance.now() - begun);
	}
}

/** The resident memory of the replicas in MiB, each time that it was looked at. */
const footprints: number[][] = [];

/** Looks at the replicas that are up; one that is not there and was not restarted has died. */
function footprint(): string {
	const sizes: number[] = [];
	const texts = replicas.map(({ serve: { pid }, isUp }) => {
		try {
			sizes.push(Math.round(residentMiB(pid)));
			return `${sizes.at(-1)} MiB ${readdirSync(`/proc/${pid}/fd`).length} fd`;
		} catch {
			counts.deaths += isUp ? 1 : 0;
			return isUp ? "dead" : "restarting";
		}
	});
	footprints.push(sizes);
	return texts.join(", ");
}

/** Whether the largest replica of the last third of the run is over a fifth larger than that of the third before. */
function hasGrown(): boolean {
	const most = footprints.map((sizes) => Math.max(0, ...sizes));
	const third = Math.floor(most.length / 3);
	const [before, after] = [most.slice(third, 2 * third), most.slice(2 * third)];
	return third > 0 && Math.max(...after) > 1.2 * Math.max(...before);
}

/** What a replica says of itself: its used heap, its answers and how many took at most so many seconds, what it sent away. */
async function ownFigures({ serve }: { readonly serve: ServeProcess }): Promise<string> {
	const text = await fetch(`${serve.operations}/metrics`)
		.then((answer) => answer.text())
		.catch(() => "");
	const sum = (name: RegExp, label = ""): number =>
		text
			.split("\n")
			.filter((line) => name.test(line) && line.includes(label))
			.reduce((all, line) => all + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
	const answers = sum(/^waymark_admission_duration_seconds_count/);
	const within = [0.005, 0.05, 0.25].map((bound) => {
		const bucket = `le="${bound}"`;
		const count = sum(/^waymark_admission_duration_seconds_bucket/, bucket);
		return `${((100 * count) / Math.max(1, answers)).toFixed(2)} % in ${bound * 1_000} ms`;
	});
	const heap = (sum(/^waymark_heap_used_bytes/) / 2 ** 20).toFixed(0);
	return `heap ${heap} MiB, ${answers} answers, ${within.join(", ")}; sent away ${sum(/^waymark_http_turned_away_total/)}`;
}

function quantile(list: readonly number[], share: number): string {
	const sorted = list.toSorted((one, other) => one - other);
	return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(0);
}

const lateness = monitorEventLoopDelay({ resolution: 5 });
lateness.enable();
const begun = performance.now();
const side = [
	every(1_000, writePolicy),
	every(60_000, rotate),
	every(60_000, restart),
	every(500, live),
	every(seconds > 200 ? 20_000 : 5_000, () =>
		console.log(`${Math.round((performance.now() - begun) / 1000)} s: ${footprint()}`),
	),
	...Array.from({ length: Number(values.hostile) }, attack),
];
const timer = setTimeout(() => {
	isOver = true;
}, seconds * 1000);
await load();
const tookSeconds = (performance.now() - begun) / 1000;
clearTimeout(timer);
isOver = true;
console.log(`end: ${footprint()}`);
for (const replica of replicas) {
	console.log(`replica: ${await ownFigures(replica)}`);
}
await Promise.all(side);
await balancer.stop();
for (const stop of stops.toReversed()) {
	await stop();
}
console.log(JSON.stringify(counts));
console.log(
	`others: ${(tookMs.length / tookSeconds).toFixed(0)} a second, p50 ${quantile(tookMs, 0.5)} ms, p99 ${quantile(tookMs, 0.99)} ms, most ${quantile(tookMs, 1)} ms; /livez most ${quantile(liveMs, 1)} ms of ${liveMs.length}; load ${loadavg()[0]?.toFixed(1)}`,
);
console.log(
	`at the first try: ${atOnceMs.length}, p99 ${quantile(atOnceMs, 0.99)} ms; asked again: ${againMs.length}; loop of this process late by p99 ${(lateness.percentile(99) / 1e6).toFixed(0)} ms, most ${(lateness.max / 1e6).toFixed(0)} ms`,
);
for (const fault of new Set(faults.slice(0, 10))) {
	console.log(fault);
}
const missed = [
	...(counts.wrong + counts.unanswered > 0 ? ["a review was answered wrongly or not at all"] : []),
	...(counts.deaths > 0 ? [`${counts.deaths} replicas died`] : []),
	...(Number(quantile(tookMs, 0.99)) > longestWaitMs ? [`the others' p99 is over ${longestWaitMs} ms`] : []),
	...(hasGrown() ? ["the memory of the replicas grew"] : []),
];
console.log(missed.length === 0 ? "Every target was met" : `Missed: ${missed.join("; ")}`);
process.exitCode = missed.length === 0 ? 0 : 1;
