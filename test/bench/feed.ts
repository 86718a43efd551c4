/**
 * How soon, how lightly and how freshly `waymark serve` follows a big cluster: a real API server is filled, then Waymark
 * is started against it and asked for verdicts from its first moment on.
 *
 * npm run bench:feed [-- --namespaces 5000 --entries 10000 --starts 5 --events 200 --program src/main.ts]
 *
 * `--entries 100000` shows the slope; to fill the cluster then takes some four minutes.
 *
 * It starts what the image runs, the compiled program with its compile cache and the image's heap; from its sources
 * Waymark needs some 20 MB and 0.3 s more.
 */
import type { ChildProcess } from "node:child_process";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { Agent } from "undici";
import type { KubeObject } from "../e2e/api.ts";
import { expectSuccess } from "../e2e/api.ts";
import type { ControlPlane } from "../e2e/control-plane.ts";
import { startControlPlane } from "../e2e/control-plane.ts";
import { freePorts } from "../e2e/processes.ts";
import { serviceEntry } from "../e2e/world.ts";

const { values } = parseArgs({
	options: {
		program: { type: "string", default: "dist/main.js" },
		namespaces: { type: "string", default: "5000" },
		entries: { type: "string", default: "10000" },
		starts: { type: "string", default: "5" },
		events: { type: "string", default: "200" },
	},
});
const namespaces = Number(values.namespaces);
const entries = Number(values.entries);
/** Node's options in the image. */
const imageOptions =
	/NODE_OPTIONS="([^"]+)"/.exec(await readFile(join(import.meta.dirname, "../../Dockerfile"), "utf8"))?.[1] ??
	"";

await using stack = new AsyncDisposableStack();
const plane = await startControlPlane({ istiod: false });
stack.defer(() => plane.stop());
const folder = await mkdtemp(join(tmpdir(), "waymark-bench-"));
stack.defer(() => rm(folder, { recursive: true }));

const compileCache = join(folder, "compile-cache");
await fillCompileCache();
await fill(plane);
const firsts: number[] = [];
const processor: number[] = [];
let wrong = 0;
for (let i = 0; i < Number(values.starts); i++) {
	const run = await startWaymark();
	firsts.push(run.firstRightMs);
	processor.push(run.firstRightCpuMs);
	wrong += run.wrong;
	if (i === Number(values.starts) - 1) {
		await sleep(20_000);
		print("resident after settling", `${await residentMegabytes(run.child)} MB`);
		await measureEvents(run);
		print("resident after the events", `${await residentMegabytes(run.child)} MB`);
	}
	await run.stop();
}
firsts.sort((a, b) => a - b);
print("first right answer, from the start of the process", `${firsts.map(Math.round).join(", ")} ms`);
print("processor time by then", `${processor.join(", ")} ms`);
print("wrong answers before it", String(wrong));

function print(what: string, figure: string): void {
	console.log(`${what}: ${figure}`);
}

/** As the Dockerfile does it. */
async function fillCompileCache(): Promise<void> {
	const files = join(import.meta.dirname, "../../dist/**/*.js");
	const code = `import { globSync } from "node:fs"; for (const file of globSync(${JSON.stringify(files)})) await import(file);`;
	await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code], {
		env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
	});
}

async function fill(target: ControlPlane): Promise<void> {
	const start = performance.now();
	// The last namespace allows one host only: to know that, its object must have been read.
	await create(target, namespaces, (i) => ({
		apiVersion: "v1",
		kind: "Namespace",
		metadata: {
			name: `team-${i}`,
			labels: { team: `team-${i % 50}`, "istio.io/dataplane-mode": "ambient" },
			annotations: {
				"egress.waymark.dev/allowed-hosts": `*.team-${i}.example.com`,
				"egress.waymark.dev/waypoint": "none",
			},
		},
	}));
	await create(target, entries, (i) =>
		serviceEntry(`team-${i % namespaces}`, `entry-${i}`, `host-${i}.team-${i % namespaces}.example.com`, {
			labels: { app: `app-${i % 20}`, "app.kubernetes.io/managed-by": "argocd" },
			annotations: {
				"argocd.argoproj.io/tracking-id": `app-${i % 20}:networking.istio.io/ServiceEntry:team/entry-${i}`,
			},
		}),
	);
	print(
		"filled",
		`${namespaces} Namespaces, ${entries} ServiceEntries in ${Math.round((performance.now() - start) / 1000)} s`,
	);
}

async function create(target: ControlPlane, count: number, make: (i: number) => KubeObject): Promise<void> {
	let next = 0;
	async function worker(): Promise<void> {
		while (next < count) {
			const object = make(next++);
			const path = await target.api.collectionPath(object.kind, object.metadata.namespace);
			expectSuccess(`POST ${path}`, await target.api.request("POST", path, { body: object }));
		}
	}
	await Promise.all(Array.from({ length: 16 }, worker));
}

interface Run {
	readonly child: ChildProcess;
	readonly firstRightMs: number;
	/** Processor time that Waymark had used by then: it does not depend on what else the machine does. */
	readonly firstRightCpuMs: number;
	/** Answers that were given before the first right one and were wrong. */
	readonly wrong: number;
	ask(namespace: string, host: string): Promise<boolean | undefined>;
	stop(): Promise<void>;
}

async function startWaymark(): Promise<Run> {
	const [webhook, operations] = await freePorts(2);
	const agent = new Agent({ connect: { rejectUnauthorized: false } });
	const start = performance.now();
	const child = spawn(
		process.execPath,
		[
			join(import.meta.dirname, "../..", values.program),
			"serve",
			`--kubeconfig=${plane.kubeconfig}`,
			`--listen=127.0.0.1:${webhook}`,
			`--operations=127.0.0.1:${operations}`,
		],
		{
			cwd: folder,
			stdio: ["ignore", "ignore", "inherit"],
			env: {
				...process.env,
				WAYMARK_LOG_LEVEL: "error",
				NODE_OPTIONS: imageOptions,
				NODE_COMPILE_CACHE: compileCache,
			},
		},
	);

	/** Whether a ServiceEntry is allowed; undefined when there was no answer. */
	async function ask(namespace: string, host: string): Promise<boolean | undefined> {
		try {
			const { statusCode, body } = await agent.request({
				origin: `https://127.0.0.1:${webhook}`,
				path: "/validate?timeout=5s",
				method: "POST",
				headers: { "content-type": "application/json" },
				body: JSON.stringify(review(namespace, host)),
			});
			const answer = (await body.json()) as { response?: { allowed?: boolean } };
			return statusCode === 200 ? answer.response?.allowed : undefined;
		} catch {
			return undefined;
		}
	}

	const last = `team-${namespaces - 1}`;
	let wrong = 0;
	for (;;) {
		const allowed = await ask(last, `new.${last}.example.com`);
		const refused = await ask(last, "elsewhere.example.org");
		if (allowed === true && refused === false) {
			break;
		}
		wrong += (allowed === false ? 1 : 0) + (refused === true ? 1 : 0);
		if (performance.now() - start > 120_000) {
			throw new Error("Cannot get a right answer within two minutes");
		}
		await sleep(5);
	}
	const firstRightMs = performance.now() - start;
	return {
		child,
		firstRightMs,
		firstRightCpuMs: await processorMs(child),
		wrong,
		ask,
		async stop() {
			const exited = new Promise((resolve) => child.once("exit", resolve));
			child.kill("SIGKILL");
			await exited;
			await agent.close();
		},
	};
}

function review(namespace: string, host: string): object {
	return {
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
		request: {
			uid: "bench",
			kind: { group: "networking.istio.io", version: "v1", kind: "ServiceEntry" },
			resource: { group: "networking.istio.io", version: "v1", resource: "serviceentries" },
			namespace,
			name: "new",
			operation: "CREATE",
			userInfo: { username: "bench" },
			object: serviceEntry(namespace, "new", host),
		},
	};
}

async function residentMegabytes(child: ChildProcess): Promise<number> {
	const status = await readFile(`/proc/${child.pid}/status`, "utf8");
	// The kernel says kB and means 1024 bytes.
	return Math.round((Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024) / 1e6);
}

/** User and system time of a process so far; the kernel counts in hundredths of a second. */
async function processorMs(child: ChildProcess): Promise<number> {
	const stat = await readFile(`/proc/${child.pid}/stat`, "utf8");
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** From the moment at which the API server has answered a write until a verdict follows it. */
async function measureEvents(run: Run): Promise<void> {
	const lags: number[] = [];
	for (let i = 0; i < Number(values.events); i++) {
		const name = `team-${(i * 37) % namespaces}`;
		const host = `change-${i}.example.net`;
		await plane.api.patch("Namespace", undefined, name, {
			metadata: { annotations: { "egress.waymark.dev/allowed-hosts": host } },
		});
		const written = performance.now();
		while ((await run.ask(name, host)) !== true) {
			if (performance.now() - written > 5000) {
				throw new Error(`Cannot see the change of ${name} within five seconds`);
			}
		}
		lags.push(performance.now() - written);
	}
	lags.sort((a, b) => a - b);
	const at = (share: number): string =>
		(lags[Math.min(lags.length - 1, Math.floor(lags.length * share))] ?? 0).toFixed(1);
	print("event to verdict", `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms`);
}
