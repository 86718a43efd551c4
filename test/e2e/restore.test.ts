import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, mustHelm, render, startServe } from "./installation.ts";
import { createProcessGroup, freePorts } from "./processes.ts";
import { useControlPlane } from "./shared.ts";
import { createBoundNamespaces, createNamespace, deleteNamespaces, serviceEntry } from "./world.ts";

const egress = "restore-egress";
const system = "restore-system";
const team = "restore-team";
const backup = "system:serviceaccount:velero:velero";

test("what helm template renders is applied, judges, lets a restorer in with a warning, and is deleted by the same file", async () => {
	const plane = await useControlPlane();
	await using stack = new AsyncDisposableStack();
	stack.defer(() => deleteNamespaces(plane, egress, system, team));
	const group = await createProcessGroup();
	stack.defer(() => group.stop());
	await createNamespace(plane, system);
	await createBoundNamespaces(plane, `${egress}/waypoint`, [team], {
		"egress.waymark.dev/allowed-hosts": "*.example.com",
	});
	const [port = 0, operations = 0] = await freePorts(2);
	const args = [
		`--namespace=${system}`,
		`--set=webhooks.url=https://127.0.0.1:${port}`,
		"--set=replicas=1",
		`--set=config.restorers.users={${backup}}`,
	];
	const manifests = await mustHelm(plane, "template", "waymark", "CHART", ...args);
	const kubectl = (verb: readonly string[]) => plane.kubectl([...verb, "-f", "-"], { stdin: manifests });
	let isApplied = true;
	stack.defer(async () => {
		if (isApplied) {
			await kubectl(["delete", "--ignore-not-found"]);
		}
	});
	const applied = await kubectl(["apply", "--server-side"]);
	assert.equal(applied.code, 0, applied.stderr);
	const objects = await render(plane, ...args);
	const replica = await startServe({
		group,
		name: "waymark-0",
		objects,
		kubeconfig: await plane.serviceAccountKubeconfig(system, "waymark"),
		namespace: system,
		port,
		operations,
		peers: [port],
	});
	const failurePolicies = async (): Promise<readonly string[]> => {
		const found = await plane.get("ValidatingWebhookConfiguration", undefined, "waymark");
		const webhooks = (found?.webhooks ?? []) as readonly { name: string; failurePolicy: string }[];
		return webhooks.filter(({ name }) => name === "validate.waymark.dev").map((each) => each.failurePolicy);
	};
	await eventually("it fails closed", async () => (await failurePolicies()).includes("Fail"), {
		processes: [replica.running],
	});

	const allowed = serviceEntry(team, "allowed", "api.example.com");
	assert.equal((await plane.tryApply(allowed)).code, 0);
	const labels = (await plane.get("ServiceEntry", team, "allowed"))?.metadata.labels;
	assert.equal(labels?.["istio.io/use-waypoint"], "waypoint");

	// Rendered without the cluster, a second application knows nothing of what Waymark raised: the value says it.
	const strict = await mustHelm(
		plane,
		"template",
		"waymark",
		"CHART",
		...args,
		"--set=webhooks.failurePolicy=Fail",
	);
	const again = await plane.kubectl(["apply", "--server-side", "-f", "-"], { stdin: strict });
	assert.equal(again.code, 0, again.stderr);
	assert.deepEqual(await failurePolicies(), ["Fail"]);

	const tolerated = serviceEntry(team, "old", "old.elsewhere.example");
	const refused = await plane.tryApply(tolerated);
	assert.notEqual(refused.code, 0);
	assert.match(refused.stderr, /serviceentry-policy-host/);
	await plane.kubectl([
		"create",
		"clusterrolebinding",
		"restore-velero",
		"--clusterrole=cluster-admin",
		`--user=${backup}`,
	]);
	stack.defer(async () => {
		await plane.api.delete("ClusterRoleBinding", undefined, "restore-velero");
	});
	const restored = await plane.kubectl(["create", "-f", "-"], { stdin: tolerated, as: { name: backup } });
	assert.equal(restored.code, 0, restored.stderr);
	assert.match(restored.stderr, /Warning: .*serviceentry-policy-host|Warning: .*old\.elsewhere\.example/s);
	const bound = (await plane.get("ServiceEntry", team, "old"))?.metadata;
	assert.equal(bound?.labels?.["istio.io/use-waypoint"], "waypoint");
	const changed = {
		...tolerated,
		spec: { ...(tolerated.spec as object), hosts: ["other.elsewhere.example"] },
	};
	const update = await plane.kubectl(["replace", "-f", "-"], { stdin: changed, as: { name: backup } });
	assert.match(update.stderr, /serviceentry-policy-host/);

	isApplied = false;
	const deleted = await kubectl(["delete", "--ignore-not-found"]);
	assert.equal(deleted.code, 0, deleted.stderr);
	assert.equal((await plane.tryApply(serviceEntry(team, "free", "free.elsewhere.example"))).code, 0);
});
