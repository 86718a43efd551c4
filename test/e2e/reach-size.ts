/**
 * What the AuthorizationPolicies that Waymark keeps cost istiod at their bound: as many bytes of namespaces as
 * docs/reach.md allows, on entries of one waypoint. Prints istiod's processor time and memory before and after, and what a
 * waypoint gets.
 *
 * node test/e2e/reach-size.ts [--policies 300]
 */
import { parseArgs } from "node:util";
import { request } from "undici";
import { mostBytes } from "../../src/export/authorization-policies.ts";
import { dumpConfig, waitForPush } from "./ads.ts";
import type { KubeObject } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import { inParallel } from "./generated-worlds.ts";
import { createNamespace, createWaypoint, serviceEntry, useWaypoint } from "./world.ts";

const { values } = parseArgs({ options: { policies: { type: "string", default: "300" } } });
const count = Number(values.policies);
const home = "reach-size";
const egress = "reach-size-egress";
const nameBytes = 16;
const names = Math.floor(mostBytes / count / (nameBytes + 3));

function policyAt(index: number, first: number = index * 7): KubeObject {
	// Lists that differ, as those of entries that different namespaces may reach do.
	const list = Array.from({ length: names }, (_, place) => `team-${String(first + place).padStart(11, "0")}`);
	return {
		apiVersion: "security.istio.io/v1",
		kind: "AuthorizationPolicy",
		metadata: { namespace: home, name: `waymark-reach-entry-${index}` },
		spec: {
			targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: `entry-${index}` }],
			action: "DENY",
			rules: [{ from: [{ source: { namespaces: list } }] }],
		},
	};
}

interface Cost {
	readonly cpu: number;
	readonly memory: number;
	readonly dump: number;
	readonly seconds: number;
}

async function costOf(plane: ControlPlane): Promise<Cost> {
	await waitForPush(plane, 300_000);
	const start = performance.now();
	const dump = await dumpConfig(plane, {
		type: "waypoint",
		namespace: egress,
		name: "egress",
		labels: { "gateway.networking.k8s.io/gateway-name": "egress" },
	});
	const seconds = (performance.now() - start) / 1000;
	const { body } = await request(`http://127.0.0.1:${plane.connection.ports.istiodMonitoring}/metrics`);
	const text = await body.text();
	const read = (name: string): number =>
		Number(new RegExp(`^${name} (\\S+)`, "m").exec(text)?.[1] ?? Number.NaN);
	return {
		cpu: read("process_cpu_seconds_total"),
		memory: read("process_resident_memory_bytes") / 2 ** 20,
		dump: JSON.stringify([...dump]).length / 2 ** 20,
		seconds,
	};
}

function report(what: string, { cpu, memory, dump, seconds }: Cost): void {
	console.log(
		`${what.padEnd(34)} istiod ${cpu.toFixed(1)} s of processor, ${memory.toFixed(0)} MiB; a waypoint gets ${dump.toFixed(1)} MiB (as JSON) in ${seconds.toFixed(2)} s`,
	);
}

const plane = await startControlPlane();
try {
	await createNamespace(plane, egress);
	await createNamespace(plane, home, { labels: { "istio.io/dataplane-mode": "ambient" } });
	await createWaypoint(plane, egress, "egress", { from: { from: "All" } });
	const indexes = Array.from({ length: count }, (_, index) => index);
	await inParallel(indexes, async (index) => {
		await plane.api.apply(
			serviceEntry(home, `entry-${index}`, `api-${index}.reach-size.example`, {
				labels: useWaypoint("egress", egress),
			}),
		);
	});
	report(`${count} entries, no policy`, await costOf(plane));
	const policies = indexes.map(policyAt);
	const bytes = policies.reduce((sum, policy) => sum + JSON.stringify(policy).length, 0);
	await inParallel(policies, async (policy) => {
		await plane.api.apply(policy);
	});
	report(`${count} policies, ${(bytes / 2 ** 20).toFixed(1)} MiB as JSON`, await costOf(plane));
	await plane.api.apply(policyAt(0, 1));
	report("one of them changed", await costOf(plane));
} finally {
	await plane.stop();
}
