import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServe } from "../support/serve-process.ts";
import type { AttackPlan, BypassResult } from "./bypass-worlds.ts";
import { attackAll, bypassNamespaces, createVictims } from "./bypass-worlds.ts";
import type { ControlPlane } from "./control-plane.ts";
import { registerWebhooks } from "./webhooks.ts";
import { deleteNamespaces } from "./world.ts";

/** Runs attacks side by side against a Waymark that follows the cluster, and removes what they leave behind. */
export async function runAttacks(
	plane: ControlPlane,
	plans: readonly AttackPlan[],
	offset: number,
): Promise<BypassResult> {
	await using stack = new AsyncDisposableStack();
	const cwd = await mkdtemp(join(tmpdir(), "waymark-bypass-"));
	stack.defer(() => rm(cwd, { recursive: true }));
	// Nobody who attacks is a policy editor.
	const config = join(cwd, "config.yaml");
	await writeFile(config, "policyEditors: { groups: [security-team] }\n");
	const namespaces = bypassNamespaces(plans.length);
	stack.defer(() => deleteNamespaces(plane, ...namespaces));
	await createVictims(plane, plans, offset);
	const owner = { after: (stop: () => Promise<unknown>) => stack.defer(async () => void (await stop())) };
	const args = ["--kubeconfig", plane.kubeconfig, "--config", config];
	const server = await startServe(owner, args, { cwd });
	const ca = await readFile(server.caFile, "utf8");
	stack.defer(
		await registerWebhooks(plane, {
			url: server.url,
			ca,
			namespaces,
			mutateFailurePolicy: "Fail",
			timeoutSeconds: 15,
		}),
	);
	return await attackAll(plane, plans, offset);
}
