import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { helm3Path } from "./helm-3.ts";
import { eventually, helm, helmAt, render, startServe } from "./installation.ts";
import { createProcessGroup, freePorts } from "./processes.ts";
import { useControlPlane } from "./shared.ts";
import { createBoundNamespaces, createNamespace, deleteNamespaces, serviceEntry } from "./world.ts";

const egress = "helm3-egress";
const system = "helm3-system";
const team = "helm3-team";
/** The webhooks that fail closed. */
const strictOnes: readonly string[] = ["validate", "validate-updates", "namespaces", "services"].map(
	(name) => `${name}.waymark.dev`,
);

test("a release of Helm 3 is upgraded, rolled back and uninstalled by Helm 4, and stays strict meanwhile", {
	skip: existsSync(helm3Path()) ? false : "Helm 3 is not built: node test/e2e/helm-3.ts builds it, once",
}, async (context) => {
	const plane = await useControlPlane();
	await using stack = new AsyncDisposableStack();
	stack.defer(() => deleteNamespaces(plane, egress, system, team));
	const group = await createProcessGroup();
	stack.defer(() => group.stop());
	await createNamespace(plane, system);
	await createBoundNamespaces(plane, `${egress}/waypoint`, [team]);
	const [port = 0, operations = 0] = await freePorts(2);
	const args = [
		`--namespace=${system}`,
		`--set=webhooks.url=https://127.0.0.1:${port}`,
		"--set=replicas=1",
		"--set=config.limits.deniedHosts={*.evil.example}",
	];
	const old = (...words: readonly string[]) => helmAt(helm3Path(), plane, words);
	const must = async (running: ReturnType<typeof helm>): Promise<string> => {
		const { code, stdout, stderr } = await running;
		assert.equal(code, 0, `${stdout}${stderr}`);
		return stdout;
	};
	assert.match(await must(old("version", "--short")), /^v3\./);
	stack.defer(async () => {
		await helm(plane, ["uninstall", "waymark", `--namespace=${system}`, "--ignore-not-found"]);
	});
	await must(old("install", "waymark", "CHART", ...args));
	const replica = await startServe({
		group,
		name: "waymark-0",
		objects: await render(plane, ...args),
		kubeconfig: await plane.serviceAccountKubeconfig(system, "waymark"),
		namespace: system,
		port,
		operations,
		peers: [port],
	});
	const opened = async (): Promise<readonly string[]> => {
		const found = await plane.get("ValidatingWebhookConfiguration", undefined, "waymark");
		const webhooks = (found?.webhooks ?? []) as readonly {
			readonly name: string;
			readonly failurePolicy: string;
		}[];
		return webhooks
			.filter(({ name, failurePolicy }) => strictOnes.includes(name) && failurePolicy !== "Fail")
			.map(({ name }) => name);
	};
	const isStrict = async (): Promise<boolean> => (await opened()).length === 0;
	await eventually("it fails closed", isStrict, { processes: [replica.running] });
	const judges = async (name: string): Promise<void> => {
		const bound = await plane.tryApply(serviceEntry(team, name, `${name}.example.com`));
		assert.equal(bound.code, 0, bound.stderr);
		const evil = await plane.tryApply(serviceEntry(team, `${name}-evil`, `${name}.evil.example`));
		assert.match(evil.stderr, /serviceentry-policy-host/);
	};
	await judges("installed");

	for (const way of ["--server-side=auto", "--server-side=true"]) {
		await must(
			helm(plane, ["upgrade", "waymark", "CHART", "--wait=false", way, ...args, "--set=replicas=2"]),
		);
		assert.deepEqual(await opened(), [], `${way} does not open what was closed`);
		await judges(way.replace(/.*=/, "upgraded-"));
	}
	await must(helm(plane, ["rollback", "waymark", "1", `--namespace=${system}`, "--wait=false"]));
	const again = await eventually("strict again after the rollback", isStrict, {
		processes: [replica.running],
		limitMs: 90_000,
	});
	context.diagnostic(`strict again ${Math.round(again)} ms after the rollback to Helm 3's revision`);
	await judges("rolled-back");
	// Whoever keeps Helm 3 beside Helm 4, a pipeline say, must not be locked out.
	await must(old("upgrade", "waymark", "CHART", ...args));
	await judges("helm-3-again");
	await must(helm(plane, ["uninstall", "waymark", `--namespace=${system}`]));
	assert.equal(await plane.get("ValidatingWebhookConfiguration", undefined, "waymark"), undefined);
	assert.equal(await plane.get("ClusterRole", undefined, "waymark"), undefined);
});
