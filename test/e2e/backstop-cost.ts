/**
 * Compiles the admission policies as the API server of each version of Kubernetes does when one is written, and tells what
 * they cost it: in its own units, of which a policy has a budget for each write, and in time.
 *
 * node test/e2e/backstop-cost.ts
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { defaultSettings } from "../../src/core/settings.ts";
import { backstop, newestKubernetes, oldestKubernetes } from "../../src/export/admission-policies.ts";
import { backstopOptions } from "./backstop-parity.ts";
import { cacheFolder } from "./binaries.ts";

const module = join(import.meta.dirname, "control-plane");
const program = await buildProgram();

const bound = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };
const hosts = Array.from({ length: 64 }, (_, index) => `host-${index}.api.example.com`);
const patterns = Array.from({ length: 64 }, (_, index) => `*.team-${index}.example.com`);

const namespace = (allowed: string) => ({
	metadata: {
		name: "shop",
		labels: { "istio.io/dataplane-mode": "ambient" },
		annotations: {
			"egress.waymark.dev/waypoint": "istio-egress/egress",
			"egress.waymark.dev/allowed-hosts": allowed,
		},
	},
});
const entry = (labels: object, spec: object) => ({
	apiVersion: "networking.istio.io/v1",
	kind: "ServiceEntry",
	metadata: { name: "payments", namespace: "shop", labels },
	spec: {
		hosts: ["api.example.com"],
		ports: [{ number: 443, name: "tls", protocol: "TLS" }],
		location: "MESH_EXTERNAL",
		resolution: "DNS",
		...spec,
	},
});
const params = {
	apiVersion: "egress.waymark.dev/v1alpha1",
	kind: "MeshTable",
	metadata: { name: "waymark" },
	spec: {
		written: "2026-01-01T00:00:00Z",
		revisions: ["default"],
		waypoints: { "istio-egress/egress": { from: "All" } },
	},
};
const endpoints = Array.from({ length: 24_000 }, (_, index) => ({
	address: `endpoint-${index}.region.example.com`,
}));

interface Cost {
	readonly policy: string;
	readonly cost: number;
	readonly budget: number;
	readonly milliseconds: number;
	readonly decision: string;
	readonly message: string;
}

const entries = [
	["plain", namespace("*.example.com"), entry(bound, {})],
	[
		"64 hosts × 64 patterns, allowed",
		namespace([...patterns, "*.api.example.com"].slice(1).join(" ")),
		entry(bound, { hosts }),
	],
	["64 hosts × 64 patterns, none allowed", namespace(patterns.join(" ")), entry(bound, { hosts })],
	[
		"64 hosts × 64 patterns, NONE",
		namespace([...patterns, "*.api.example.com"].slice(1).join(" ")),
		entry(bound, { hosts, resolution: "NONE" }),
	],
	["1.5 MB of endpoints", namespace("*.example.com"), entry(bound, { endpoints })],
] as const;

const runs = entries.flatMap(([, ns, object]) =>
	["waymark", "waymark-mesh"].map((policy) => ({
		policy,
		object,
		namespace: ns,
		...(policy === "waymark" ? {} : { params }),
		times: JSON.stringify(object).length > 100_000 ? 3 : 100,
	})),
);
const faults: object[] = [];
for (let minor = oldestKubernetes; minor <= newestKubernetes; minor++) {
	// A version takes new policies by the libraries of the one before (environment.DefaultCompatibilityVersion).
	faults.push(
		...ask({ versions: [minor - 1], policies: printed(minor), runs: [] }).faults.map((fault) => ({
			...fault,
			kubernetes: minor,
		})),
	);
}
console.log(`compiled for 1.${oldestKubernetes} to 1.${newestKubernetes}: ${faults.length} faults`);
for (const fault of faults) {
	console.log(JSON.stringify(fault));
}
let missed = faults.length;
const { costs } = ask({ versions: [], policies: printed(36), runs });
for (const [index, each] of costs.entries()) {
	const [what = "", , object] = entries[Math.floor(index / 2)] ?? [];
	const isWithin = each.cost > 0 && each.cost <= each.budget && each.decision !== "error";
	missed += isWithin ? 0 : 1;
	console.log(
		`${isWithin ? "ok  " : "MISS"} ${each.policy.padEnd(13)} ${what} (${(JSON.stringify(object).length / 1e6).toFixed(2)} MB): ${each.cost} of ${each.budget} units (${((100 * each.cost) / each.budget).toFixed(1)} %), ${each.milliseconds.toFixed(2)} ms, ${each.decision} ${each.message.slice(0, 120)}`,
	);
}
process.exitCode = missed > 0 ? 1 : 0;

function printed(kubernetesMinor: number): readonly object[] {
	return backstop(backstopOptions(defaultSettings, { actions: ["deny", "warn", "audit"], editors: "rbac" }), {
		kubernetesMinor,
		inject: kubernetesMinor >= 34,
		live: true,
		staticManifests: false,
	});
}

function ask(input: object): { readonly faults: readonly object[]; readonly costs: readonly Cost[] } {
	const { stdout, stderr, status } = spawnSync(program, { input: JSON.stringify(input), maxBuffer: 2 ** 28 });
	if (status !== 0) {
		throw new Error(`Cannot ask the API server's code: ${stderr}`);
	}
	return JSON.parse(String(stdout)) as ReturnType<typeof ask>;
}

/** The program is the API server's own code, built from the modules that the control plane pins: some minutes, once. */
async function buildProgram(): Promise<string> {
	const path = join(await cacheFolder(), "policies");
	if (!existsSync(path)) {
		const built = spawnSync("go", ["build", "-o", path, "./policies"], { cwd: module, stdio: "inherit" });
		if (built.status !== 0) {
			throw new Error("Cannot build the program that compiles policies: it needs Go");
		}
	}
	return path;
}
