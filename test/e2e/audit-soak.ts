/**
 * Differential soak of the auditor: random creations, updates and deletions of Namespaces, waypoints, entries, routes and
 * rules; at every pause what the auditor has must equal what `waymark lint --cluster` says: object, rule, severity and field
 * of every finding. Words are left out: of several rivals a message names the one that was heard of first, which a list
 * does not tell. Ends with exit code 1 at the first difference.
 *
 * node test/e2e/audit-soak.ts [--minutes 5] [--seed 1]
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createAuditor } from "../../src/audit/auditor.ts";
import { createPacer, noLoad } from "../../src/audit/pace.ts";
import { runAuditor } from "../../src/audit/run.ts";
import { createEngine } from "../../src/core/engine.ts";
import { allKinds } from "../../src/core/kinds.ts";
import { defaultSettings } from "../../src/core/settings.ts";
import { kubeconfigCredentials } from "../../src/kube/client/credentials.ts";
import { followCluster } from "../../src/kube/watch/cluster.ts";
import type { LintReport } from "../../src/lint/report.ts";
import { rules } from "../../src/rules/table.ts";
import type { KubeObject } from "./api.ts";
import { startControlPlane } from "./control-plane.ts";

const { values } = parseArgs({
	options: {
		minutes: { type: "string", default: "5" },
		seed: { type: "string", default: String(Date.now() % 1e6) },
	},
});

/** Numbers in [0, limit), the same for the same seed (mulberry32). */
function dice(seed: number): (limit: number) => number {
	let state = seed;
	return (limit) => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
	};
}

const seed = Number(values.seed);
const roll = dice(seed);
const pick = <T>(...list: readonly T[]): T => list[roll(list.length)] as T;
const spaces = ["red", "green", "blue"];
const istio = "networking.istio.io/v1";

function namespace(name: string): KubeObject {
	return {
		apiVersion: "v1",
		kind: "Namespace",
		metadata: {
			name,
			labels: pick<Record<string, string>>({}, { "istio.io/dataplane-mode": "ambient" }),
			annotations: {
				"egress.waymark.dev/waypoint": pick("red/waypoint", "blue/waypoint", "none"),
				"egress.waymark.dev/mode": pick("warn", "audit", "off"),
				"egress.waymark.dev/denied-hosts": pick("", "*.example.com", "h1.example.org"),
			},
		},
	};
}

const makers: readonly (() => KubeObject)[] = [
	() => namespace(pick(...spaces)),
	() => ({
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "Gateway",
		metadata: { namespace: pick("red", "blue"), name: "waypoint" },
		spec: {
			gatewayClassName: pick("istio-waypoint", "istio-waypoint", "other"),
			listeners: [
				{
					...{ name: "mesh", port: 15008, protocol: "HBONE" },
					allowedRoutes: { namespaces: { from: pick("All", "Same") } },
				},
			],
		},
	}),
	() => ({
		apiVersion: istio,
		kind: "VirtualService",
		metadata: { namespace: pick(...spaces), name: `rule-${roll(4)}` },
		spec: {
			hosts: [`h${roll(6)}.example.com`],
			http: [{ route: [{ destination: { host: `h${roll(6)}.example.com` } }] }],
		},
	}),
	() => ({
		apiVersion: istio,
		kind: "DestinationRule",
		metadata: { namespace: pick(...spaces), name: `rule-${roll(4)}` },
		spec: { host: `h${roll(6)}.example.com`, trafficPolicy: { tls: { mode: pick("SIMPLE", "DISABLE") } } },
	}),
	() => ({
		apiVersion: "v1",
		kind: "Service",
		metadata: { namespace: pick(...spaces), name: `service-${roll(4)}` },
		spec: { ports: [{ port: 80 }] },
	}),
];

function entry(): KubeObject {
	const labels = pick<Record<string, string>>(
		{},
		{ "istio.io/use-waypoint": "waypoint", "istio.io/use-waypoint-namespace": pick("red", "blue") },
		{ "istio.io/use-waypoint": "none" },
	);
	return {
		apiVersion: istio,
		kind: "ServiceEntry",
		metadata: { namespace: pick(...spaces), name: `entry-${roll(12)}`, labels },
		spec: {
			hosts: [pick(`h${roll(6)}.example.com`, `h${roll(6)}.example.org`, "*.example.com")],
			...pick<object>({}, { addresses: [`203.0.113.${roll(5)}`] }),
			ports: [{ number: pick(80, 443), name: "p", protocol: pick("TLS", "HTTP", "TCP") }],
			resolution: pick("DNS", "NONE", "DYNAMIC_DNS"),
		},
	};
}

await using stack = new AsyncDisposableStack();
const plane = await startControlPlane();
stack.defer(() => plane.stop());
for (const name of spaces) {
	await plane.api.apply(namespace(name));
}
const cluster = followCluster({
	credentials: await kubeconfigCredentials(plane.kubeconfig),
	kinds: allKinds,
	settings: defaultSettings,
	log: { info: () => {}, warn: () => {} },
	budgetBytes: 2 ** 29,
	onChange(change) {
		auditor.changed(change);
		run.wake();
	},
	onEvent: () => {},
	onRestart: () => {},
});
stack.defer(() => cluster.stop());
let changes = 0;
const auditor = createAuditor({
	engine: createEngine(rules),
	inventory: cluster.state,
	today: new Date().toISOString().slice(0, 10),
	onChange: () => {
		changes += 1;
	},
});
const run = runAuditor(auditor, () => {}, createPacer(noLoad), { restFactor: 0 });
stack.defer(() => run.stop());
await cluster.synced;

async function write(): Promise<void> {
	const object = roll(10) < 6 ? entry() : pick(...makers)();
	const { kind, apiVersion, metadata } = object;
	if (roll(10) < 3 && kind !== "Namespace") {
		const qualified = apiVersion.includes("/") ? `${kind}.${apiVersion.split("/")[0]}` : kind;
		await plane.api.delete(qualified, metadata.namespace, metadata.name ?? "");
	} else {
		await plane.api.apply(object).catch((error: unknown) => {
			// What the API server refuses is not stored, and so not judged.
			refused += 1;
			return error;
		});
	}
}
let refused = 0;

/** Findings as lines, in order, of the namespaces that this writes. */
function linesOf(findings: Iterable<string>): readonly string[] {
	return [...findings].toSorted();
}

async function lintLines(): Promise<readonly string[]> {
	const main = join(import.meta.dirname, "../../src/main.ts");
	const text = await new Promise<string>((resolve) => {
		execFile(
			process.execPath,
			[main, "lint", "--cluster", "--kubeconfig", plane.kubeconfig, "--output", "json"],
			{ maxBuffer: 2 ** 28 },
			(_, stdout) => resolve(stdout),
		);
	});
	const { findings } = JSON.parse(text) as LintReport;
	return linesOf(
		findings.map(
			({ rule, severity, path, object }) =>
				`${object.kind} ${object.namespace ?? ""}/${object.name} ${severity} ${rule} ${path}`,
		),
	);
}

function auditLines(): readonly string[] {
	const kindOf = (kind: string): string =>
		kind === "KubernetesGateway" || kind === "IstioGateway" ? "Gateway" : kind;
	return linesOf(
		[...auditor.objects()].flatMap(({ kind, namespace, name, findings }) =>
			findings.map(
				({ rule, severity, path }) => `${kindOf(kind)} ${namespace}/${name} ${severity} ${rule} ${path}`,
			),
		),
	);
}

const end = Date.now() + Number(values.minutes) * 60_000;
let writes = 0;
let pauses = 0;
let most = 0;
while (Date.now() < end) {
	const burst = 20 + roll(40);
	for (let count = 0; count < burst; count++) {
		await write();
		writes += 1;
	}
	let wanted: readonly string[] = [];
	let found: readonly string[] = ["not yet"];
	// istiod writes statuses after us, and the feed brings them: both are asked again until they agree or time is up.
	for (const limit = Date.now() + 30_000; Date.now() < limit; await sleep(200)) {
		wanted = await lintLines();
		await run.quiet();
		found = auditLines();
		if (wanted.join("\n") === found.join("\n")) {
			break;
		}
	}
	if (wanted.join("\n") !== found.join("\n")) {
		console.log(`seed ${seed}, pause ${pauses}: the auditor and lint --cluster differ`);
		for (const line of wanted.filter((each) => !found.includes(each)).slice(0, 10)) {
			console.log(`- ${line}`);
		}
		for (const line of found.filter((each) => !wanted.includes(each)).slice(0, 10)) {
			console.log(`+ ${line}`);
		}
		process.exitCode = 1;
		break;
	}
	pauses += 1;
	most = Math.max(most, wanted.length);
}
console.log(
	`seed ${seed}: ${writes} writes (${refused} refused), ${pauses} pauses without difference, up to ${most} findings, ${changes} changes of judgement`,
);
