import { ClusterState } from "../../src/core/cluster-state.ts";
import type { KubernetesGateway, Namespace, ServiceEntry } from "../../src/core/kinds.ts";
import { defaultSettings } from "../../src/core/settings.ts";
import { namespacePolicies } from "../../src/export/admission-policies.ts";
import { namespaceRules, rulePolicies } from "../../src/export/rule-policies.ts";
import { rules } from "../../src/rules/table.ts";
import type { KubeObject } from "./api.ts";
import type { Case, Parity } from "./backstop-parity.ts";
import {
	backstopOptions,
	compare,
	defineTable,
	installPolicies,
	storeOlds,
	waitForAnswer,
	writeTable,
} from "./backstop-parity.ts";
import {
	entryCreations,
	entryUpdates,
	policyNamespaces,
	soundWaypoints,
	unsoundWaypoints,
	waypointNamespace,
} from "./backstop-worlds.ts";
import type { ControlPlane } from "./control-plane.ts";

/** How many cases to generate, and from what. */
export interface GeneratedRun {
	readonly seed: number;
	readonly creations: number;
	readonly updates: number;
}

/** What holds without a table, and what the table is for. */
export interface GeneratedParity {
	readonly withoutTable: Parity;
	readonly withTable: Parity;
}

const egress: Namespace = {
	apiVersion: "v1",
	kind: "Namespace",
	metadata: { name: waypointNamespace, labels: { "kubernetes.io/metadata.name": waypointNamespace } },
};

/** An entry that every form of the policies refuses, and none else: its answer tells whether they are in force. */
const probe = (labels: Readonly<Record<string, string>>): ServiceEntry => ({
	apiVersion: "networking.istio.io/v1",
	kind: "ServiceEntry",
	metadata: { name: "probe", namespace: waypointNamespace, labels },
	spec: {
		hosts: ["probe.example.com"],
		ports: [{ number: 443, name: "tls", protocol: "TLS" }],
		location: "MESH_EXTERNAL",
		resolution: "DNS",
	},
});

/** Judges generated writes by `evaluate` and by the API server; the control plane is left as it was found. */
export async function compareGenerated(plane: ControlPlane, run: GeneratedRun): Promise<GeneratedParity> {
	const namespaces = policyNamespaces(run.seed, run.creations < 500 ? 30 : 100);
	const names = [egress, ...namespaces];
	for (const namespace of names) {
		await plane.api.apply(namespace as KubeObject);
	}
	try {
		const updates = await storeOlds(plane, entryUpdates(run.seed + 1, run.updates, namespaces));
		const cases = [...entryCreations(run.seed, run.creations, namespaces), ...updates];
		return {
			withoutTable: await compareWithoutTable(plane, names, cases),
			withTable: await compareWithTable(plane, names, cases),
		};
	} finally {
		await plane.api.delete("CustomResourceDefinition", undefined, "meshtables.egress.waymark.dev");
		await Promise.all(names.map(({ metadata }) => removeNamespace(plane, metadata?.name ?? "")));
	}
}

/** Only what these tests put there: looking through every kind takes longer than all comparisons. */
async function removeNamespace({ api }: ControlPlane, name: string): Promise<void> {
	for (const path of ["/apis/networking.istio.io/v1", "/api/v1"].map(
		(root) => `${root}/namespaces/${name}`,
	)) {
		await api.request("DELETE", `${path}/${path.startsWith("/apis") ? "serviceentries" : "configmaps"}`);
	}
	await api.delete("Namespace", undefined, name);
	const body = { apiVersion: "v1", kind: "Namespace", metadata: { name }, spec: { finalizers: [] } };
	await api.request("PUT", `/api/v1/namespaces/${name}/finalize`, { body });
}

function worldOf(namespaces: readonly Namespace[], waypoints: readonly KubernetesGateway[]): ClusterState {
	const world = new ClusterState(defaultSettings);
	for (const namespace of namespaces) {
		world.set("Namespace", namespace);
	}
	// Whether a Service of the cluster answers for a name is nothing that an entry tells.
	for (const name of ["payments", "db"]) {
		world.set("Service", {
			apiVersion: "v1",
			kind: "Service",
			metadata: { name, namespace: "shop" },
			spec: { clusterIP: "10.96.0.77" },
		});
	}
	for (const waypoint of waypoints) {
		world.set("KubernetesGateway", waypoint);
	}
	return world;
}

async function compareWithoutTable(
	plane: ControlPlane,
	namespaces: readonly Namespace[],
	cases: readonly Case[],
): Promise<Parity> {
	await using _ = await installPolicies(plane, rulePolicies(backstopOptions(defaultSettings), "waymark"));
	await waitForAnswer(plane, probe({ "gateway.istio.io/managed": "istio.io-mesh-controller" }), 403);
	const chosen = rules.filter(
		({ id, kind, cel }) =>
			(kind === "ServiceEntry" && cel?.problems.some((each) => each.needs === undefined)) ||
			id === "serviceentry-location",
	);
	return await compare(plane, worldOf(namespaces, soundWaypoints(namespaces)), chosen, cases);
}

async function compareWithTable(
	plane: ControlPlane,
	namespaces: readonly Namespace[],
	cases: readonly Case[],
): Promise<Parity> {
	const world = worldOf(namespaces, unsoundWaypoints);
	await defineTable(plane);
	await writeTable(plane, world);
	await using _ = await installPolicies(
		plane,
		rulePolicies(backstopOptions(defaultSettings), "waymark-mesh"),
	);
	await waitForAnswer(plane, probe({ "istio.io/rev": "probe" }), 403);
	const chosen = rules.filter(
		({ kind, cel }) => kind === "ServiceEntry" && cel?.problems.some((each) => each.needs === "table"),
	);
	return await compare(plane, world, chosen, cases);
}

/** Some Namespaces are created; others get the annotations or the labels of the next one, or both. */
async function compareNamespaces(
	plane: ControlPlane,
	{ seed, creations, updates }: GeneratedRun,
): Promise<Parity> {
	const created = renamed(policyNamespaces(seed + 10, Math.ceil(creations / 4)), "create");
	const before = renamed(policyNamespaces(seed + 11, Math.min(100, Math.ceil(updates / 4))), "update");
	const changed = before.map((old, index): Case => {
		const next = before[(index + 1) % before.length]?.metadata;
		const labels = index % 3 === 0 ? old.metadata?.labels : { ...next?.labels, ...nameLabel(old) };
		const annotations = index % 3 === 1 ? old.metadata?.annotations : next?.annotations;
		return { old, object: { ...old, metadata: { ...old.metadata, labels, annotations } } as Namespace };
	});
	try {
		const cases = [...created.map((object): Case => ({ object })), ...(await storeOlds(plane, changed))];
		await using _ = await installPolicies(plane, namespacePolicies(backstopOptions(defaultSettings)));
		const annotations = { "egress.waymark.dev/mode": "Enforce" };
		await waitForAnswer(plane, { ...egress, metadata: { name: "backstop-probe", annotations } }, 403);
		const chosen = rules.filter(({ id }) => namespaceRules.has(id));
		return await compare(plane, worldOf([], []), chosen, cases);
	} finally {
		await Promise.all(before.map(({ metadata }) => removeNamespace(plane, metadata?.name ?? "")));
	}
}

function renamed(namespaces: readonly Namespace[], how: string): readonly Namespace[] {
	return namespaces.map((each) => {
		const named = { ...each, metadata: { ...each.metadata, name: `${each.metadata?.name}-${how}` } };
		return {
			...named,
			metadata: { ...named.metadata, labels: { ...each.metadata?.labels, ...nameLabel(named) } },
		};
	});
}

function nameLabel({ metadata }: Namespace): Readonly<Record<string, string>> {
	return { "kubernetes.io/metadata.name": metadata?.name ?? "" };
}

if (import.meta.main) {
	const { startControlPlane } = await import("./control-plane.ts");
	const [seeds = "1,2,3", count = "2000"] = process.argv.slice(2);
	await using stack = new AsyncDisposableStack();
	const plane = stack.adopt(await startControlPlane({ istiod: false }), (own) => own.stop());
	for (const seed of seeds.split(",").map(Number)) {
		const run = { seed, creations: Number(count), updates: Number(count) / 2 };
		const result = {
			...(await compareGenerated(plane, run)),
			ofNamespaces: await compareNamespaces(plane, run),
		};
		for (const [name, { same, denied, invalid, differences }] of Object.entries(result)) {
			console.log({ seed, name, same, denied, invalid, differences: differences.length });
			for (const difference of differences.slice(0, 5)) {
				console.log(JSON.stringify(difference));
			}
		}
	}
}
