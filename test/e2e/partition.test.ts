import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startBalancer } from "../support/balancer.ts";
import { reviewOf } from "../support/reviews.ts";
import type { ServeProcess } from "../support/serve-process.ts";
import { startServe } from "../support/serve-process.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { ApiError } from "./api.ts";
import { useControlPlane } from "./shared.ts";
import { registerWebhooks } from "./webhooks.ts";
import { createNamespace, deleteNamespaces, serviceEntry } from "./world.ts";

const plane = await useControlPlane();
const names = ["cut-known", "cut-new", "cut-other"] as const;
const [known, unknown, other] = names;
const allows = (hosts: string) => ({
	labels: { "istio.io/dataplane-mode": "ambient" },
	annotations: { "egress.waymark.dev/allowed-hosts": hosts },
});

/** Asks again and again until the answer is yes. */
async function eventually(what: string, ask: () => Promise<boolean>, limitMs: number): Promise<void> {
	for (const start = performance.now(); !(await ask()); await sleep(100)) {
		assert.ok(performance.now() - start < limitMs, `after ${limitMs} ms it is not true that ${what}`);
	}
}

describe("a replica that is cut off from the API server", () => {
	const stack = new AsyncDisposableStack();
	let proxy: TcpProxy;
	let cut: ServeProcess;
	let whole: ServeProcess;
	let isWholeThere = false;

	before(async () => {
		await deleteNamespaces(plane, ...names);
		stack.defer(() => deleteNamespaces(plane, ...names));
		await createNamespace(plane, known, allows("*.ok.example.com *.old.example.com"));
		const folder = await mkdtemp(join(tmpdir(), "waymark-partition-"));
		stack.defer(() => rm(folder, { recursive: true }));
		proxy = await startTcpProxy(Number(new URL(plane.apiServerUrl).port));
		stack.defer(() => proxy.stop());
		const kubeconfig = join(folder, "kubeconfig");
		const url = `https://127.0.0.1:${proxy.port}`;
		await writeFile(
			kubeconfig,
			(await readFile(plane.kubeconfig, "utf8")).replaceAll(plane.apiServerUrl, url),
		);
		const owner = { after: (stop: () => Promise<unknown>) => stack.defer(async () => void (await stop())) };
		cut = await startServe(owner, ["--kubeconfig", kubeconfig], { cwd: folder });
		whole = await startServe(owner, ["--kubeconfig", plane.kubeconfig], { cwd: folder });
		const backend = (server: ServeProcess, isReady: () => boolean) => ({
			host: "127.0.0.1",
			port: Number(new URL(server.url).port),
			isReady,
		});
		const backends = [backend(cut, () => true), backend(whole, () => isWholeThere)];
		const balancer = await startBalancer({ backends: () => backends, everyMs: 50 });
		stack.defer(() => balancer.stop());
		stack.defer(
			await registerWebhooks(plane, {
				url: `https://127.0.0.1:${balancer.port}`,
				ca: `${await readFile(cut.caFile, "utf8")}${await readFile(whole.caFile, "utf8")}`,
				namespaces: names,
			}),
		);
	});
	after(() => stack.disposeAsync());

	const readiness = async (): Promise<string> => (await fetch(`${cut.operations}/readyz?verbose`)).text();
	const refusalOf = async (namespace: string, host: string): Promise<ApiError> => {
		try {
			await plane.api.create(serviceEntry(namespace, "exfil", host), { dryRun: true });
		} catch (error) {
			assert.ok(error instanceof ApiError);
			return error;
		}
		return assert.fail(`${host} was admitted in ${namespace}`);
	};

	test("refuses an entry of a namespace that it does not know, and says why", async () => {
		proxy.freeze();
		await createNamespace(plane, unknown, allows("*.ok.example.com"));
		const refusal = await refusalOf(unknown, "exfil.evil2.example.org");
		assert.equal(refusal.status, 503);
		assert.match(
			refusal.message,
			/does not know the namespace "cut-new" yet, and the API server does not answer/,
		);
	});

	test("says within 15 s that its world is old, and warns of what it admits by it", async () => {
		const warnings = async (): Promise<readonly string[]> => {
			const path = await plane.api.collectionPath("ServiceEntry", known);
			const entry = serviceEntry(known, "stale", "api.old.example.com");
			return (await plane.api.request("POST", `${path}?dryRun=All`, { body: entry })).warnings;
		};
		const isSaid = async (): Promise<boolean> =>
			(await warnings()).some((text) => /^Waymark judged by a cluster state \d+ s old/.test(text));
		await eventually("the world is known to be old", isSaid, 15_000);
		const metrics = await (await fetch(`${cut.operations}/metrics`)).text();
		assert.match(metrics, /^waymark_stale_verdicts_total [1-9]/m);
	});

	test("hands it to another replica, which judges by the policy", async () => {
		isWholeThere = true;
		await eventually(
			"the other one is found",
			async () => (await refusalOf(unknown, "a.evil.example")).status === 403,
			20_000,
		);
		for (let i = 0; i < 3; i++) {
			const refusal = await refusalOf(unknown, "exfil.evil2.example.org");
			assert.match(refusal.message, /serviceentry-policy-host: spec\.hosts\[0\]/);
		}
	});

	test("knows every policy again when the API server answers", async () => {
		await createNamespace(plane, known, allows("*.ok.example.com"));
		await createNamespace(plane, other, allows("*.ok.example.com"));
		proxy.strand();
		proxy.thaw();
		const denies = async (namespace: string, host: string): Promise<boolean> => {
			const { allowed, status } = await cut.ask("validate", reviewOf(serviceEntry(namespace, "e", host)));
			return !allowed && /serviceentry-policy-host/.test(status?.message ?? "");
		};
		await eventually("it is fresh", async () => /world: fresh/.test(await readiness()), 20_000);
		assert.equal(await denies(known, "api.old.example.com"), true);
		assert.equal(await denies(other, "api.evil.example"), true);
	});
});
