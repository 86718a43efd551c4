import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { boundEntry, plainEntry } from "../../src/rules/examples.ts";
import { reviewOf } from "../support/reviews.ts";
import type { Line } from "./load.ts";
import { openLine, requestOf, sendSteadily } from "./load.ts";
import type { ServerMessage } from "./server.ts";

const usage = `Usage: npm run bench [-- --rounds N --requests N --rate N --warm N --connections N --cpu-prof DIR]

Measures CPU per request and latency of POST /mutate and POST /validate over TLS keep-alive, with every rule, against
a server that parses the same 4 KB review and answers a constant. The servers take turns within each round, so that
what else the machine does meets all of them alike. Requests come at a steady rate: as fast as each server can would
wake the client at every answer of the slower one only, and charge that to it.`;

const target = 1.15;

interface Competitor {
	readonly name: string;
	readonly child: ChildProcess;
	readonly lines: readonly Line[];
	readonly rules: number;
	readonly heapMiB: number;
}

/** So many requests a round, so many a second. */
interface Load {
	readonly count: number;
	readonly rate: number;
}

interface Sample {
	readonly cpuMicroseconds: number;
	readonly latencies: readonly number[];
}

/** An object as the API server sends it, with what kubectl leaves in it: 4 KB as a review. */
function realistic(object: typeof plainEntry): typeof plainEntry {
	const { metadata } = object;
	const fields = { "f:spec": { "f:hosts": {}, "f:location": {}, "f:ports": {}, "f:resolution": {} } };
	const more = {
		uid: "0d0b8f9c-6a4d-4d9a-8c37-9a3c1d5a7f11",
		generation: 1,
		creationTimestamp: "2026-11-23T10:00:00Z",
		annotations: {
			"kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(object),
			description: "x".repeat(900),
		},
		managedFields: ["kubectl-client-side-apply", "argocd-controller", "pilot-discovery"].map((manager) => ({
			manager,
			operation: "Update",
			apiVersion: "networking.istio.io/v1",
			time: "2026-11-23T10:00:00Z",
			fieldsType: "FieldsV1",
			fieldsV1: { ...fields, "f:metadata": { "f:annotations": { "f:description": {} } } },
		})),
	};
	return { ...object, metadata: { ...metadata, ...more } } as typeof plainEntry;
}

const requests = {
	mutate: requestOf("/mutate", reviewOf(realistic(plainEntry))),
	validate: requestOf("/validate", reviewOf(realistic(boundEntry))),
} as const;
type Endpoint = keyof typeof requests;
const endpoints: readonly Endpoint[] = ["mutate", "validate"];

async function ask<T extends ServerMessage>(child: ChildProcess): Promise<T> {
	const answer = once(child, "message");
	child.send("cpu");
	return (await answer)[0] as T;
}

interface Started {
	readonly name: string;
	readonly child: ChildProcess;
	readonly ready: Extract<ServerMessage, { port: number }>;
}

async function start(name: string, argument: string, flags: readonly string[]): Promise<Started> {
	const child = fork(join(import.meta.dirname, "server.ts"), [argument], { execArgv: [...flags] });
	const [ready] = (await once(child, "message")) as [Started["ready"]];
	return { name, child, ready };
}

async function connectTo({ name, child, ready }: Started, connections: number): Promise<Competitor> {
	const lines = await Promise.all(Array.from({ length: connections }, () => openLine(ready.port, ready.ca)));
	// A server hangs up on a connection that says nothing for ten seconds.
	await Promise.all(lines.map((line) => line.ask(requests.validate)));
	return { name, child, lines, rules: ready.rules, heapMiB: ready.heapMiB };
}

async function measure(competitor: Competitor, endpoint: Endpoint, { count, rate }: Load): Promise<Sample> {
	const before = await ask<{ cpuMicroseconds: number }>(competitor.child);
	const latencies = await sendSteadily(competitor.lines, requests[endpoint], count, rate);
	const after = await ask<{ cpuMicroseconds: number }>(competitor.child);
	return { cpuMicroseconds: (after.cpuMicroseconds - before.cpuMicroseconds) / count, latencies };
}

/** The verdicts are those that the figures are for: a fast wrong answer counts for nothing. */
async function check(competitor: Competitor): Promise<void> {
	const [line] = competitor.lines;
	for (const endpoint of endpoints) {
		await line?.ask(requests[endpoint]);
		const answer = line?.last() ?? "";
		if (!answer.includes('"allowed":true') || answer.includes('"patch"') !== (endpoint === "mutate")) {
			throw new Error(`Cannot measure ${competitor.name}: /${endpoint} answered ${answer}`);
		}
	}
}

function quantile(values: readonly number[], share: number): number {
	const sorted = values.toSorted((one, other) => one - other);
	return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function spread(values: readonly number[], digits: number): string {
	return [0, 0.5, 1].map((share) => quantile(values, share).toFixed(digits)).join(" / ");
}

function row(...cells: readonly string[]): string {
	return cells
		.map((cell, index) => (index < 2 ? cell.padEnd(index === 0 ? 18 : 10) : cell.padStart(26)))
		.join("");
}

async function main(): Promise<number> {
	const { values } = parseArgs({
		options: {
			rounds: { type: "string", default: "15" },
			requests: { type: "string", default: "1000" },
			rate: { type: "string", default: "1000" },
			warm: { type: "string", default: "15000" },
			connections: { type: "string", default: "16" },
			"cpu-prof": { type: "string" },
			help: { type: "boolean", default: false },
		},
	});
	if (values.help) {
		console.log(usage);
		return 0;
	}
	const rounds = Number(values.rounds);
	const connections = Number(values.connections);
	const load: Load = { count: Number(values.requests), rate: Number(values.rate) };
	const profile = values["cpu-prof"];
	const flags = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
	const sizes = profile === undefined ? [10, 1_000, 100_000] : [1_000];
	const started = [await start("floor", "floor", flags)];
	for (const size of sizes) {
		started.push(await start(`${size.toLocaleString("en")} objects`, String(size), flags));
	}
	const all = await Promise.all(started.map((each) => connectTo(each, connections)));
	const webhooks = all.slice(1);
	try {
		await Promise.all(webhooks.map(check));
		const bytes = endpoints.map((each) => `${requests[each].length} B`).join(", ");
		console.log(
			`${webhooks[0]?.rules} rules; ${rounds} rounds of ${load.count} requests (${bytes}), ${load.rate} a second over ${connections} connections; Node ${process.version}`,
		);
		// What the compiler costs belongs to the start of a server, not to its requests.
		const warming: Load = { count: Number(values.warm), rate: Number.POSITIVE_INFINITY };
		for (const competitor of all) {
			for (const endpoint of endpoints) {
				await measure(competitor, endpoint, warming);
			}
		}
		await race(all, rounds, load);
	} finally {
		for (const { child, lines } of all) {
			for (const line of lines) {
				line.close();
			}
			child.disconnect();
		}
	}
	return 0;
}

async function race(all: readonly Competitor[], rounds: number, load: Load): Promise<void> {
	const samples = new Map<string, Sample[]>();
	for (let round = 0; round < rounds; round++) {
		for (const endpoint of endpoints) {
			// Who comes first changes with every round.
			for (let turn = 0; turn < all.length; turn++) {
				const competitor = all[(round + turn) % all.length];
				if (competitor !== undefined) {
					const key = `${competitor.name} ${endpoint}`;
					samples.set(key, [...(samples.get(key) ?? []), await measure(competitor, endpoint, load)]);
				}
			}
		}
	}
	report(all, samples);
}

function report(all: readonly Competitor[], samples: ReadonlyMap<string, readonly Sample[]>): void {
	console.log(`\n${row("", "", "CPU µs/request", "ratio to the floor", "p50 / p99 ms")}`);
	console.log(row("", "", "min / median / max", "min / median / max", ""));
	const medians: number[] = [];
	for (const endpoint of endpoints) {
		const base = (samples.get(`floor ${endpoint}`) ?? []).map((each) => each.cpuMicroseconds);
		for (const { name } of all) {
			const own = samples.get(`${name} ${endpoint}`) ?? [];
			const cpu = own.map((each) => each.cpuMicroseconds);
			const ratios = cpu.map((each, round) => each / (base[round] ?? Number.NaN));
			const latencies = own.flatMap((each) => each.latencies);
			const times = [0.5, 0.99].map((share) => quantile(latencies, share).toFixed(2)).join(" / ");
			console.log(
				row(name, `/${endpoint}`, spread(cpu, 0), name === "floor" ? "" : spread(ratios, 3), times),
			);
			if (name !== "floor") {
				medians.push(quantile(ratios, 0.5));
			}
		}
	}
	const worst = Math.max(...medians);
	console.log(
		`\nTarget: at most ${target} × the floor's CPU. Worst median: ${worst.toFixed(3)}, ${worst <= target ? "met" : "missed"}`,
	);
	console.log(
		`Heap at start: ${all.map(({ name, heapMiB }) => `${name} ${heapMiB.toFixed(0)} MiB`).join(", ")}`,
	);
}

process.exitCode = await main();
