import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse, stringify } from "yaml";
import { useControlPlane } from "./shared.ts";
import { createNamespace, deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const namespace = "lint-cluster";

interface Report {
	readonly findings: readonly { readonly rule: string; readonly file: string }[];
	readonly impact?: readonly {
		readonly namespace: string;
		readonly now: { readonly mode: string; readonly errors: number };
		readonly assumed: { readonly mode: string; readonly errors: number };
	}[];
}

// The file's control plane ends with the file, so what uses it at the end stands in a suite.
describe("lint --cluster", () => {
	before(async () => {
		await createNamespace(plane, namespace, { labels: { "istio.io/dataplane-mode": "ambient" } });
		await plane.api.apply({
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "bypass", namespace, labels: { "istio.io/use-waypoint": "none" } },
			spec: {
				hosts: ["lint-cluster.example.com"],
				ports: [{ number: 443, name: "tls", protocol: "TLS" }],
				resolution: "DNS",
			},
		});
	});

	after(() => deleteNamespaces(plane, namespace));

	test("lint --cluster judges what is in the cluster, and changes nothing", async () => {
		const { code, stdout } = await waymark(
			"lint",
			"--cluster",
			"--kubeconfig",
			plane.kubeconfig,
			"--output",
			"json",
		);
		const { findings } = JSON.parse(stdout) as Report;
		const own = findings.filter(({ file }) => file === `cluster/${namespace}/ServiceEntry/bypass`);
		assert.ok(
			own.some(({ rule }) => rule === "serviceentry-waypoint-opt-out"),
			stdout,
		);
		assert.equal(code, 1);
	});

	test("lint --cluster says which cluster it is, where the configuration gives it a name", async () => {
		const config = join(plane.connection.folder, "lint-cluster-config.yaml");
		await writeFile(config, "audit: {cluster: eu-1}\n");
		const flags = ["--kubeconfig", plane.kubeconfig, "--config", config, "--namespace", namespace];
		const { stdout, stderr } = await waymark("lint", "--cluster", ...flags, "--output", "json");
		assert.notEqual(stdout, "", stderr);
		assert.equal((JSON.parse(stdout) as { readonly cluster?: string }).cluster, "eu-1");
	});

	test("lint --cluster --assume ends with what that changes, by namespace", async () => {
		const args = ["lint", "--cluster", "--kubeconfig", plane.kubeconfig, "--assume", "mode=warn"];
		const text = await waymark(...args);
		assert.match(text.stdout, /NAMESPACE +MODE +ERRORS NOW +ERRORS THEN\n/);
		assert.match(text.stdout, /^lint-cluster +enforce → warn +[1-9]\d* +[1-9]\d*$/m);
		const json = await waymark(...args, "--assume", "ambient=permitted", "--output", "json");
		const { impact } = JSON.parse(json.stdout) as Report;
		const own = impact?.find((each) => each.namespace === namespace);
		assert.equal(own?.now.mode, "enforce");
		assert.equal(own?.assumed.mode, "warn");
		assert.ok((own?.now.errors ?? 0) > (own?.assumed.errors ?? 0), JSON.stringify(own));
	});

	test("lint --cluster --baseline knows what is there", async () => {
		const file = join(await mkdtemp(join(tmpdir(), "waymark-baseline-")), "known.json");
		const args = ["lint", "--cluster", "--kubeconfig", plane.kubeconfig, "--baseline", file];
		assert.equal((await waymark(...args, "--write-baseline")).code, 0);
		assert.equal((await waymark(...args)).code, 0);
	});

	test("lint --cluster says at once, in the API server's words, what an impersonated user may not list", async () => {
		const flags = ["--kubeconfig", plane.kubeconfig, "--as", "jane"];
		const started = performance.now();
		const { code, stderr } = await waymark("lint", "--cluster", ...flags);
		assert.ok(performance.now() - started < 10_000);
		assert.equal(code, 70);
		assert.match(
			stderr,
			/^waymark: Cannot read the cluster https:\/\/\S+: \S+ is forbidden: User "jane" cannot list resource .* at the cluster scope \(and \d+ more kinds fail\)\n$/,
		);
	});

	test("lint --cluster says at once that the API server does not know a token", async () => {
		const config = parse(await readFile(plane.kubeconfig, "utf8")) as object;
		const file = join(plane.connection.folder, "stranger.yaml");
		await writeFile(file, stringify({ ...config, users: [{ name: "user", user: { token: "wrong" } }] }));
		const { stderr } = await waymark("lint", "--cluster", "--kubeconfig", file);
		assert.match(
			stderr,
			/^waymark: Cannot read the cluster https:\/\/\S+: Unauthorized: the API server does not accept these credentials\n$/,
		);
	});

	test("lint --cluster takes no files", async () => {
		assert.equal((await waymark("lint", "--cluster", "examples")).code, 64);
	});
});

function waymark(
	...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
	const main = join(import.meta.dirname, "../../src/main.ts");
	return new Promise((resolve) => {
		execFile(process.execPath, [main, ...args], (error, stdout, stderr) => {
			resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
		});
	});
}
