import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { useControlPlane } from "./shared.ts";
import { createNamespace, deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const namespace = "lint-cluster";

interface Report {
	readonly findings: readonly { readonly rule: string; readonly file: string }[];
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

	test("lint --cluster takes no files", async () => {
		assert.equal((await waymark("lint", "--cluster", "examples")).code, 64);
	});
});

function waymark(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
	const main = join(import.meta.dirname, "../../src/main.ts");
	return new Promise((resolve) => {
		execFile(process.execPath, [main, ...args], (error, stdout) => {
			resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout });
		});
	});
}
