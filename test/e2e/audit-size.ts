/**
 * The auditor at size, on a real API server: how long the first full audit takes, what memory it takes, what it does to
 * admission, and how a waypoint's deletion that unbinds every entry is told. Ends with 1 where a figure misses its target.
 * Admission is compared in warm replicas: phases in which everything is audited anew, each after one in which nothing is.
 *
 * node test/e2e/audit-size.ts [--namespaces 5000] [--entries 10000] [--rounds 3]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { parseAllDocuments } from "yaml";
import type { AnyObject } from "../../src/core/kinds.ts";
import type { Line } from "../bench/load.ts";
import { openLine, requestOf } from "../bench/load.ts";
import { reviewOf } from "../support/reviews.ts";
import type { KubeObject } from "./api.ts";
import type { OwnControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import type { RunningProcess } from "./processes.ts";
import { freePorts, waitUntilReady } from "./processes.ts";
import { reportCrds } from "./report-crds.ts";

const { values } = parseArgs({
	options: {
		namespaces: { type: "string", default: "5000" },
		entries: { type: "string", default: "10000" },
		rounds: { type: "string", default: "3" },
	},
});
const root = join(import.meta.dirname, "../..");
const namespaces = Number(values.namespaces);
const entries = Number(values.entries);
const waypoint = { "istio.io/use-waypoint": "waypoint", "istio.io/use-waypoint-namespace": "egress" };

function namespaceAt(index: number): KubeObject {
	return {
		apiVersion: "v1",
		kind: "Namespace",
		metadata: {
			name: `team-${index}`,
			labels: { "istio.io/dataplane-mode": "ambient" },
			annotations: { "egress.waymark.dev/waypoint": "egress/waypoint" },
		},
	};
}

function entryAt(index: number): KubeObject {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: { name: `entry-${index}`, namespace: `team-${index % namespaces}`, labels: waypoint },
		spec: {
			hosts: [`api-${index}.example.com`],
			// Of one's own, since nobody here allocates any: what is not captured cannot be lost.
			addresses: [`10.${64 + Math.floor(index / 65_536)}.${Math.floor(index / 256) % 256}.${index % 256}`],
			location: "MESH_EXTERNAL",
			exportTo: ["."],
			ports: [{ number: 443, name: "tls", protocol: "TLS" }],
			resolution: "DNS",
		},
	};
}

/** Does something for each number below a limit, 16 at a time. */
async function each(limit: number, what: (index: number) => Promise<unknown>): Promise<void> {
	const queue = Array(limit).keys();
	await Promise.all(
		Array.from({ length: 16 }, async () => {
			for (const index of queue) {
				await what(index);
			}
		}),
	);
}

async function fill(plane: OwnControlPlane): Promise<void> {
	for (const document of parseAllDocuments(await reportCrds())) {
		const definition = document.toJS() as KubeObject | null;
		if (definition !== null) {
			await plane.api.apply(definition);
		}
	}
	for (const name of ["waymark-system", "egress"]) {
		await plane.api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
	}
	await plane.api.apply({
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "GatewayClass",
		metadata: { name: "istio-waypoint" },
		spec: { controllerName: "istio.io/mesh-controller" },
	});
	await plane.api.apply({
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "Gateway",
		metadata: { namespace: "egress", name: "waypoint" },
		spec: {
			gatewayClassName: "istio-waypoint",
			listeners: [
				{
					name: "mesh",
					port: 15008,
					protocol: "HBONE",
					allowedRoutes: { namespaces: { from: "All" } },
				},
			],
		},
	});
	// istiod writes it, and there is none here.
	const ready = await plane.api.request(
		"PATCH",
		"/apis/gateway.networking.k8s.io/v1/namespaces/egress/gateways/waypoint/status",
		{
			contentType: "application/merge-patch+json",
			body: {
				status: {
					addresses: [{ type: "Hostname", value: "waypoint.egress.svc.cluster.local" }],
					conditions: ["Accepted", "Programmed"].map((type) => ({
						type,
						status: "True",
						reason: type,
						message: "",
						lastTransitionTime: "2026-01-01T00:00:00Z",
					})),
				},
			},
		},
	);
	if (ready.status !== 200) {
		throw new Error(`Cannot make the waypoint ready: ${JSON.stringify(ready.body)}`);
	}
	await each(namespaces, (index) => plane.api.create(namespaceAt(index)));
	await each(entries, (index) => plane.api.create(entryAt(index)));
}

interface Replica {
	readonly name: string;
	readonly process: RunningProcess;
	readonly operations: string;
	line(): Line;
	/** Begins a new connection in the place of one that the replica closed. */
	reopen(): Promise<void>;
	/** Samples of `/metrics`, by name and labels. */
	metrics(): Promise<ReadonlyMap<string, number>>;
	/** KiB that are resident now, and at most so far. */
	memory(): { readonly now: number; readonly peak: number };
	/** Milliseconds of processor since its start. */
	cpuMs(): number;
}

async function startReplica(
	plane: OwnControlPlane,
	name: string,
	...args: readonly string[]
): Promise<Replica> {
	const [port = 0, operationsPort = 0] = await freePorts(2);
	// Each has a throw-away CA below where it runs.
	const folder = join(plane.processes.folder, name);
	mkdirSync(folder);
	const operations = `http://127.0.0.1:${operationsPort}`;
	const running = plane.processes.start({
		name,
		command: process.execPath,
		args: [
			// Of the chart: five eighths of its memory limit.
			"--max-old-space-size=160",
			"--max-semi-space-size=4",
			main,
			"serve",
			`--kubeconfig=${plane.kubeconfig}`,
			`--listen=127.0.0.1:${port}`,
			`--operations=127.0.0.1:${operationsPort}`,
			...args,
		],
		cwd: folder,
		env: { PATH: process.env.PATH },
	});
	const caFile = (): string | undefined => /^CA: +(.+)$/m.exec(readFileSync(running.log, "utf8"))?.[1];
	await waitUntilReady(
		running,
		async () => caFile() !== undefined && (await fetch(`${operations}/readyz`)).ok,
		120_000,
	);
	const ca = caFile() ?? "";
	const open = (): Promise<Line> => openLine(port, readFileSync(ca, "utf8"));
	let line = await open();
	const kibibytes = (field: string): number =>
		Number(
			new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${running.pid}/status`, "utf8"))?.[1],
		);
	return {
		name,
		process: running,
		operations,
		line: () => line,
		async reopen() {
			line.close();
			line = await open();
		},
		async metrics() {
			const text = await (await fetch(`${operations}/metrics`)).text();
			return new Map(
				text
					.split("\n")
					.filter((each) => each !== "" && !each.startsWith("#"))
					.map((each) => {
						const at = each.lastIndexOf(" ");
						return [each.slice(0, at), Number(each.slice(at + 1))] as const;
					}),
			);
		},
		memory: () => ({ now: kibibytes("VmRSS"), peak: kibibytes("VmHWM") }),
		cpuMs() {
			const fields = readFileSync(`/proc/${running.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
			return (Number(fields[11]) + Number(fields[12])) * 10;
		},
	};
}

function median(list: readonly number[]): number {
	return list.toSorted((one, other) => one - other)[Math.floor(list.length / 2)] ?? Number.NaN;
}

async function isJudged({ operations }: Replica): Promise<boolean> {
	const text = await (await fetch(`${operations}/readyz?verbose`)).text();
	return text.includes("every stored object is judged");
}

/** Waits until a replica has used less than a tenth of a processor for a second; a minute at most. */
async function untilCalm({ cpuMs }: Replica): Promise<void> {
	for (const end = performance.now() + 60_000; performance.now() < end; ) {
		const before = cpuMs();
		await sleep(1_000);
		if (cpuMs() - before < 100) {
			return;
		}
	}
}

async function eventCount(plane: OwnControlPlane): Promise<number> {
	return (await plane.api.list("Event.events.k8s.io")).length;
}

/** Requests of one kind that the API server has answered, by its own count. */
async function requestCount(plane: OwnControlPlane, resource: string, verb: string): Promise<number> {
	const { body } = await plane.api.request("GET", "/metrics", { accept: "text/plain" });
	let sum = 0;
	for (const line of String(body).split("\n")) {
		if (
			line.startsWith("apiserver_request_total{") &&
			line.includes(`resource="${resource}"`) &&
			line.includes(`verb="${verb}"`)
		) {
			sum += Number(line.slice(line.lastIndexOf(" ") + 1));
		}
	}
	return sum;
}

const failures: string[] = [];
function hold(what: string, figure: number, target: number, unit: string): void {
	const isMet = figure <= target;
	console.log(`${isMet ? "ok  " : "MISS"} ${what}: ${figure.toFixed(2)} ${unit} (target ${target})`);
	if (!isMet) {
		failures.push(what);
	}
}

await using stack = new AsyncDisposableStack();
// As the image runs it: what strips the types of the sources would take memory of its own.
const main = join(root, "dist/main.js");
execFileSync(process.execPath, [join(root, "scripts/build.ts")], { cwd: root });
const plane = await startControlPlane({ istiod: false });
stack.defer(() => plane.stop());
const filling = performance.now();
await fill(plane);
console.log(
	`${namespaces} Namespaces and ${entries} entries stored in ${Math.round((performance.now() - filling) / 1000)} s; load ${readFileSync("/proc/loadavg", "utf8").slice(0, 5)}`,
);

const review = requestOf("/validate", reviewOf(entryAt(0) as AnyObject));
const config = join(plane.processes.folder, "config.yaml");
writeFileSync(config, "audit: {reportSeconds: 10}\n");
const plain = await startReplica(plane, "plain", `--config=${config}`);
const began = performance.now();
const audited = await startReplica(
	plane,
	"audited",
	...["--audit", "--namespace=waymark-system", `--config=${config}`],
);
const ready = performance.now();
const cpuReady = audited.cpuMs();
console.log(`ready after ${Math.round(ready - began)} ms`);

let handedBack = 0;
/** Asks both in turn, each first every other time, until it is over; gives their p50: what else the machine does meets both alike. */
async function compare(
	isOver: () => Promise<boolean>,
): Promise<{ readonly text: string; readonly ratio: number }> {
	const latencies = { plain: [] as number[], audited: [] as number[] };
	for (let nextLook = 0; ; await sleep(2)) {
		try {
			const isPlainFirst = latencies.plain.length % 2 === 0;
			const [first, second] = isPlainFirst ? [plain, audited] : [audited, plain];
			const pair = [await first.line().ask(review), await second.line().ask(review)] as const;
			latencies.plain.push(pair[isPlainFirst ? 0 : 1]);
			latencies.audited.push(pair[isPlainFirst ? 1 : 0]);
		} catch {
			// A machine that is busy with other things makes a replica hand a review back (503): such a pair does not count.
			handedBack += 1;
			await Promise.all([plain.reopen(), audited.reopen()]);
		}
		if (performance.now() > nextLook) {
			if (await isOver()) {
				break;
			}
			nextLook = performance.now() + 100;
		}
	}
	const [one, other] = [median(latencies.audited), median(latencies.plain)];
	const text = `${(one / other).toFixed(2)} (${one.toFixed(2)} ms to ${other.toFixed(2)} ms, ${latencies.plain.length} pairs)`;
	return { text, ratio: one / other };
}

const cold = await compare(() => isJudged(audited));
hold("first full audit after ready", (performance.now() - ready) / 1000, 10, "s");
console.log(`     of which ${audited.cpuMs() - cpuReady} ms of processor`);
console.log(`     admission p50 meanwhile, both replicas cold: ${cold.text}`);
const writing = performance.now();
const written = await requestCount(plane, "reports", "APPLY");
for (const end = performance.now() + 300_000; performance.now() < end; await sleep(200)) {
	if ((await requestCount(plane, "reports", "APPLY")) >= namespaces) {
		break;
	}
}
console.log(`     ${written} of the first reports were written by then`);
console.log(`first reports written ${((performance.now() - writing) / 1000).toFixed(1)} s later`);
// The next write of a report waits ten seconds after the last.
await sleep(11_000);
const idle = await audited.metrics();
console.log(
	`     hosts: ${["governed", "direct", "refused", "unknown"].map((state) => `${idle.get(`waymark_audit_hosts{state="${state}"}`) ?? 0} ${state}`).join(", ")}; heap in use ${((idle.get("waymark_heap_used_bytes") ?? 0) / 2 ** 20).toFixed(0)} MiB`,
);
hold("resident memory, audited", audited.memory().now / 1024, 160, "MiB");
console.log(
	`     at most ${(audited.memory().peak / 1024).toFixed(0)} MiB; without auditing ${(plain.memory().now / 1024).toFixed(0)} MiB, at most ${(plain.memory().peak / 1024).toFixed(0)}`,
);

// The same for replicas that are warm: other settings of reports begin the audit anew, and nothing is to be written.
const ratios: number[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
	// A new audit is followed by reach and a look through all reports: beside these nothing is idle.
	await untilCalm(audited);
	const calm = performance.now() + 3_000;
	const idly = await compare(() => Promise.resolve(performance.now() > calm));
	const start = performance.now();
	writeFileSync(config, `audit: {reportSeconds: ${11 + round}}\n`);
	// The file is looked at every two seconds.
	while ((await isJudged(audited)) && performance.now() - start < 10_000) {
		await sleep(20);
	}
	const busily = await compare(() => isJudged(audited));
	ratios.push(busily.ratio);
	console.log(
		`     round ${round + 1}: not auditing ${idly.text}; auditing everything ${busily.text}, ${(busily.ratio / idly.ratio).toFixed(2)} of that, ${((performance.now() - start) / 1000).toFixed(1)} s`,
	);
}
hold(
	`admission p50, auditing everything to not auditing, median of ${ratios.length} rounds`,
	median(ratios),
	1.1,
	`(${ratios
		.toSorted()
		.map((ratio) => ratio.toFixed(2))
		.join(", ")}; ${handedBack} handed back)`,
);
await sleep(11_000 + Number(values.rounds) * 1_000);

/** How often the report of each namespace was changed so far. */
async function generations(): Promise<ReadonlyMap<string, number>> {
	const reports = await plane.api.list("Report");
	return new Map(
		reports.map(({ metadata }) => [metadata.namespace ?? "", Number(metadata.generation ?? 0)] as const),
	);
}
const before = {
	writes: await requestCount(plane, "reports", "APPLY"),
	events: await eventCount(plane),
	cpu: audited.cpuMs(),
	generations: await generations(),
};
await plane.api.delete("Gateway.gateway.networking.k8s.io", "egress", "waypoint");
const deleted = performance.now();
const secondsSince = (): number => (performance.now() - deleted) / 1000;
/** What the cluster's own report says of the waypoint. */
async function lostLine(): Promise<string | undefined> {
	const report = await plane.api.get("ClusterReport", undefined, "waymark");
	const results = (report?.results ?? []) as readonly { readonly policy: string; readonly message: string }[];
	return results.find(({ policy }) => policy === "lost-waypoint")?.message;
}
let line: string | undefined;
let told: number | undefined;
let judged: number | undefined;
for (let look = 0; secondsSince() < 60 && (told === undefined || judged === undefined); look++) {
	line = await lostLine();
	if (line?.includes(`${entries} ServiceEntries`)) {
		told ??= secondsSince();
	}
	if (look % 4 === 0) {
		const metrics = await audited.metrics();
		if ((metrics.get('waymark_audit_hosts{state="direct"}') ?? 0) >= entries) {
			judged ??= secondsSince();
		}
	}
	await sleep(50);
}
hold("every entry known to be reached past the waypoint after", judged ?? 1e6, 5, "s");
hold("one line says so of all of them after", told ?? 1e6, 5, "s");
console.log(`     ${line}`);
for (; secondsSince() < 120; await sleep(500)) {
	if ((await requestCount(plane, "reports", "APPLY")) - before.writes >= namespaces) {
		break;
	}
}
console.log(`     the last report of a namespace after ${secondsSince().toFixed(1)} s`);
console.log(`     ${audited.cpuMs() - before.cpu} ms of processor`);
await sleep(15_000);
hold(
	"writes of reports",
	(await requestCount(plane, "reports", "APPLY")) - before.writes,
	namespaces,
	"writes",
);
const changed = [...(await generations())].map(
	([namespace, generation]) => [namespace, generation - (before.generations.get(namespace) ?? 0)] as const,
);
const others = changed.filter(([namespace, count]) => count > (namespace.startsWith("team-") ? 1 : 0));
console.log(
	`     written more than once, or not a team's: ${others.map((each) => each.join(" ")).join(", ") || "none"}`,
);
hold("Events", (await eventCount(plane)) - before.events, 100, "Events");
// Other namespaces have reports, too, and nothing in them was lost.
const silent = (await plane.api.list("Report")).filter(
	({ metadata, summary }) =>
		metadata.namespace?.startsWith("team-") === true &&
		Number((summary as { readonly fail?: number } | undefined)?.fail ?? 0) === 0,
);
hold("reports that do not say so", silent.length, namespaces - Math.min(namespaces, entries), "reports");
plain.line().close();
audited.line().close();
console.log(failures.length === 0 ? "every target met" : `missed: ${failures.join(", ")}`);
process.exitCode = failures.length === 0 ? 0 : 1;
