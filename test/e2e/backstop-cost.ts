/**
 * Compiles the admission policies as the API server of each version of Kubernetes does when one is written, and tells what
 * they cost it: in its own units, of which a policy has a budget for each write, and in time.
 *
 * node test/e2e/backstop-cost.ts
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
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
const of = <T>(count: number, make: (index: number) => T): readonly T[] =>
	Array.from({ length: count }, (_, index) => make(index));
const statics = { resolution: "STATIC" };
const address = (index: number): string =>
	`2001:db8:1111:2222:3333:4444:5555:${(index + 0x1000).toString(16)}`;
const longHost = (index: number): string =>
	`h${index}.${[..."abc"].map((each) => each.repeat(60)).join(".")}.${"a.".repeat(20)}example.com`;
const byAddress = of(4096, (index) => ({ address: address(index), ports: { tls: 443 } }));
const byName = of(4096, (index) => ({ address: `endpoint-${index}.a-region.example.com` }));
const tlsPorts = of(256, (index) => ({ number: 8000 + index, name: `p${index}`, protocol: "TLS" }));

interface Cost {
	readonly policy: string;
	readonly cost: number;
	readonly budget: number;
	readonly milliseconds: number;
	readonly decision: string;
	readonly message: string;
	/** What each word costs with all that it asks for; -1: more than the API server allows an expression. */
	readonly parts: Readonly<Record<string, number>>;
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
	// The most that the definition of ServiceEntries takes of each list.
	[
		"4,096 endpoints by address",
		namespace("*.example.com"),
		entry(bound, { ...statics, endpoints: byAddress }),
	],
	["4,096 endpoints by name", namespace("*.example.com *.example.net"), entry(bound, { endpoints: byName })],
	[
		"4,096 endpoints by long names",
		namespace("*.example.com"),
		entry(bound, { endpoints: of(4096, (index) => ({ address: longHost(index) })) }),
	],
	[
		"4,096 denied endpoints",
		namespace("*.example.com"),
		entry(bound, {
			...statics,
			endpoints: of(4096, (index) => ({ address: `169.254.${index >> 8}.${index & 255}` })),
		}),
	],
	[
		"4,096 internal endpoints",
		namespace("*.example.com"),
		entry(bound, {
			location: "MESH_INTERNAL",
			endpoints: of(4096, (index) => ({ address: `pod-${index}.shop.svc.cluster.local` })),
		}),
	],
	[
		"256 long hosts, addresses and ports",
		namespace(patterns.join(" ")),
		entry(bound, { ...statics, hosts: of(256, longHost), addresses: of(256, address), ports: tlsPorts }),
	],
	[
		"256 hosts × 256 patterns",
		namespace([...of(256, (index) => `*.team-${index}.example.com`), "*.api.example.com"].join(" ")),
		entry(bound, { ...statics, hosts: of(256, (index) => `host-${index}.api.example.com`) }),
	],
	[
		"256 hosts, none allowed",
		namespace("*.example.com"),
		entry(bound, { hosts: of(256, (index) => `h${index}.example.org`) }),
	],
] as const;

const policies = ["waymark", "waymark-updates", "waymark-mesh"] as const;

const runs = entries.flatMap(([, ns, object]) =>
	policies.map((policy) => ({
		policy,
		object,
		// An update that only changes a label, so that both objects are judged whole.
		...(policy === "waymark-updates" ? { oldObject: relabelled(object) } : {}),
		namespace: ns,
		parts: true,
		...(policy === "waymark-mesh" ? { params } : {}),
		times: JSON.stringify(object).length > 20_000 ? 2 : 100,
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
	const [what = "", , object] = entries[Math.floor(index / policies.length)] ?? [];
	// A refusal has the words of a rule, never those of CEL.
	const isWithin =
		each.cost > 0 &&
		each.cost <= each.budget &&
		Object.values(each.parts).every((cost) => cost >= 0) &&
		(each.message === "" || /^[a-z]+(-[a-z]+)+: /.test(each.message));
	missed += isWithin ? 0 : 1;
	console.log(
		`${isWithin ? "ok  " : "MISS"} ${each.policy.padEnd(15)} ${what} (${(JSON.stringify(object).length / 1e6).toFixed(2)} MB): ${each.cost} of ${each.budget} units (${((100 * each.cost) / each.budget).toFixed(1)} %), ${each.milliseconds.toFixed(2)} ms, ${each.decision} ${each.message.slice(0, 120)}`,
	);
}
process.exitCode = missed > 0 ? 1 : 0;

function relabelled(object: ReturnType<typeof entry>): object {
	return { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, team: "a" } } };
}

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
	const sources = ["main.go", "words.go"].map((name) => readFileSync(join(module, "policies", name)));
	const hash = createHash("sha256").update(Buffer.concat(sources)).digest("hex").slice(0, 8);
	const path = join(await cacheFolder(), `policies-${hash}`);
	if (!existsSync(path)) {
		const built = spawnSync("go", ["build", "-o", path, "./policies"], { cwd: module, stdio: "inherit" });
		if (built.status !== 0) {
			throw new Error("Cannot build the program that compiles policies: it needs Go");
		}
	}
	return path;
}
