import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import type { ServeProcess } from "./installation.ts";
import { eventually, helm, mustHelm, renderAs, startServe } from "./installation.ts";
import type { ProcessGroup } from "./processes.ts";
import { createProcessGroup, freePorts } from "./processes.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry } from "./world.ts";

/** A release of the chart with one replica outside the cluster. */
interface Release {
	readonly name: string;
	readonly namespace: string;
	/** The name of its objects. */
	readonly objects: string;
	readonly args: readonly string[];
	readonly replica: ServeProcess;
}

async function install(
	plane: ControlPlane,
	group: ProcessGroup,
	name: string,
	namespace: string,
): Promise<Release> {
	const [port = 0, operations = 0] = await freePorts(2);
	const args = [
		`--namespace=${namespace}`,
		`--set=webhooks.url=https://127.0.0.1:${port}`,
		"--set=replicas=1",
		"--set=config.limits.deniedHosts={*.evil.example}",
	];
	await mustHelm(plane, "install", name, "CHART", "--wait=false", ...args);
	const objects = await renderAs(plane, name, ...args);
	const account = objects.find(({ kind }) => kind === "ServiceAccount")?.metadata.name ?? "";
	const replica = await startServe({
		group,
		name: `${name}-0`,
		objects,
		kubeconfig: await plane.serviceAccountKubeconfig(namespace, account),
		namespace,
		port,
		operations,
		peers: [port],
	});
	return { name, namespace, objects: account, args, replica };
}

/** Names of the validating webhooks of a release that fail closed. */
async function strict(plane: ControlPlane, { objects }: Release): Promise<readonly string[]> {
	const configuration = await plane.get("ValidatingWebhookConfiguration", undefined, objects);
	const webhooks = (configuration?.webhooks ?? []) as readonly {
		readonly name: string;
		readonly failurePolicy: string;
	}[];
	return webhooks.filter(({ failurePolicy }) => failurePolicy === "Fail").map(({ name }) => name);
}

const allStrict = [
	"validate.waymark.dev",
	"validate-updates.waymark.dev",
	"namespaces.waymark.dev",
	"services.waymark.dev",
];

function untilStrict(plane: ControlPlane, release: Release, also: readonly Release[] = []): Promise<number> {
	return eventually(
		`${release.name} fails closed`,
		async () => (await strict(plane, release)).length === allStrict.length,
		{ processes: [release, ...also].map(({ replica }) => replica.running) },
	);
}

async function makeTeam(plane: ControlPlane): Promise<void> {
	await createNamespace(plane, "releases-team", {
		labels: { "istio.io/dataplane-mode": "ambient" },
		annotations: { "egress.waymark.dev/waypoint": "releases-egress/waypoint" },
	});
}

function entry(name: string, host: string): KubeObject {
	return serviceEntry("releases-team", name, host);
}

const clusterWide = [
	"ValidatingWebhookConfiguration",
	"MutatingWebhookConfiguration",
	"ClusterRole",
	"ClusterRoleBinding",
];

async function left(plane: ControlPlane, { objects }: Release): Promise<readonly string[]> {
	const found = await Promise.all(
		clusterWide.map(async (kind) =>
			(await plane.get(kind, undefined, objects)) === undefined ? [] : [kind],
		),
	);
	return found.flat();
}

test("two releases live in one cluster, and one goes without the other noticing", async (context) => {
	const plane = await useControlPlane();
	await using stack = new AsyncDisposableStack();
	stack.defer(() =>
		deleteNamespaces(plane, "releases-one", "releases-two", "releases-egress", "releases-team"),
	);
	const group = await createProcessGroup();
	stack.defer(() => group.stop());
	// The other's canary is judged like any entry: the strictest case is that its namespace is in ambient.
	await createNamespace(plane, "releases-one", { labels: { "istio.io/dataplane-mode": "ambient" } });
	await createNamespace(plane, "releases-two", { labels: { "istio.io/dataplane-mode": "ambient" } });
	await createNamespace(plane, "releases-egress");
	await createWaypoint(plane, "releases-egress", "waypoint", { from: { from: "All" } });
	await makeTeam(plane);
	for (const [name, namespace] of [
		["one", "releases-one"],
		["two", "releases-two"],
	] as const) {
		stack.defer(async () => {
			await helm(plane, ["uninstall", name, `--namespace=${namespace}`]);
		});
	}
	const one = await install(plane, group, "one", "releases-one");
	await untilStrict(plane, one);
	const two = await install(plane, group, "two", "releases-two");
	const tookMs = await untilStrict(plane, two, [one]);
	context.diagnostic(`the second fails closed ${Math.round(tookMs)} ms after its start`);

	assert.equal((await plane.tryApply(entry("plain", "api.example.com"))).code, 0);
	const bound = (await plane.get("ServiceEntry", "releases-team", "plain"))?.metadata;
	assert.equal(bound?.labels?.["istio.io/use-waypoint"], "waypoint");
	assert.match((await plane.tryApply(entry("evil", "www.evil.example"))).stderr, /serviceentry-policy-host/);

	// Three replicas and back to one: the budget comes and goes, and the webhooks stay closed.
	for (const replicas of [3, 1]) {
		await mustHelm(
			plane,
			"upgrade",
			"two",
			"CHART",
			"--wait=false",
			...two.args,
			`--set=replicas=${replicas}`,
		);
		const budget = await plane.get("PodDisruptionBudget", two.namespace, two.objects);
		assert.equal(budget !== undefined, replicas > 1, `${replicas} replicas`);
		const deployment = await plane.get("Deployment", two.namespace, two.objects);
		assert.equal((deployment?.spec as { readonly replicas: number } | undefined)?.replicas, replicas);
		assert.deepEqual(await strict(plane, two), allStrict);
	}

	await mustHelm(plane, "uninstall", "one", "--namespace=releases-one");
	await one.replica.running.stop();
	assert.deepEqual(await left(plane, one), []);
	assert.deepEqual(await left(plane, two), clusterWide);
	assert.deepEqual(await strict(plane, two), allStrict);
	assert.equal((await plane.tryApply(entry("after", "after.example.com"))).code, 0);
	const evil = await plane.tryApply(entry("evil", "www.evil.example"));
	assert.match(evil.stderr, /validate\.waymark\.dev.*serviceentry-policy-host/s);
	assert.equal((await two.replica.readiness())?.ready, true);
});

test("an uninstall that the API server's end interrupts can be repeated, and blocks no write meanwhile", async (context) => {
	await using stack = new AsyncDisposableStack();
	const plane = await startControlPlane({ istiod: false });
	stack.defer(() => plane.stop());
	await createNamespace(plane, "istio-system");
	await createNamespace(plane, "releases-one");
	await makeTeam(plane);
	const one = await install(plane, plane.processes, "one", "releases-one");
	await untilStrict(plane, one);

	// Away altogether: nothing happens, and nothing is lost.
	await plane.stopApiServer("SIGKILL");
	const uninstall = ["uninstall", "one", "--namespace=releases-one"];
	const refused = await helm(plane, uninstall);
	assert.notEqual(refused.code, 0);
	await plane.startApiServer();
	assert.deepEqual(await left(plane, one), clusterWide);

	// Killed in the middle: Helm deletes the webhook configurations first.
	const running = helm(plane, uninstall);
	// No pause between two looks: all of it takes a tenth of a second.
	while ((await plane.get("ValidatingWebhookConfiguration", undefined, one.objects)) !== undefined) {}
	await plane.stopApiServer("SIGKILL");
	const { code, stderr } = await running;
	await one.replica.running.stop("SIGKILL");
	await plane.startApiServer();
	const half = await left(plane, one);
	context.diagnostic(`interrupted: helm ended with ${code}, left are ${half.join(", ") || "none"}`);
	assert.ok(!half.includes("ValidatingWebhookConfiguration"), stderr);
	const written = await plane.tryApply(entry("meanwhile", "www.evil.example"));
	assert.equal(written.code, 0, written.stderr);
	if (code !== 0) {
		await mustHelm(plane, ...uninstall);
	}
	assert.deepEqual(await left(plane, one), []);
});
