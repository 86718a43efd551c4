import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { bundles } from "../support/bundles.ts";
import { runVerb } from "../support/run-verb.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const folder = mkdtempSync(join(tmpdir(), "waymark-migrate-cluster-"));
const namespaces = ["shop", "pay", "news"];
// The API server answers in the version that it was asked for, not in the one that was written.
const text = [bundles.origination, bundles.passthrough, bundles.gatewayApi]
	.join("---\n")
	.replaceAll("networking.istio.io/v1beta1", "networking.istio.io/v1");
const role = "waymark-e2e-migrator";

/** Every file below a folder with what it says. */
function contentOf(out: string): ReadonlyMap<string, unknown> {
	const files = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((file) =>
		file.endsWith(".yaml"),
	);
	return new Map(files.toSorted().map((file) => [file, parse(readFileSync(join(out, file), "utf8"))]));
}

// The file's control plane ends with the file, so what uses it at the end stands in a suite.
describe("migrate --cluster", () => {
	before(async () => {
		await Promise.all([...namespaces, "istio-system"].map((name) => createNamespace(plane, name)));
		await plane.apply(text);
	});

	after(async () => {
		await plane.kubectl(["delete", "clusterrole,clusterrolebinding", role, "--ignore-not-found"]);
		writeFileSync(join(folder, "all.yaml"), text);
		await plane.kubectl(["delete", "-f", join(folder, "all.yaml"), "--ignore-not-found"]);
		await deleteNamespaces(plane, ...namespaces);
		rmSync(folder, { recursive: true });
	});

	test("migrate --cluster writes what migrate writes of the manifests, for a user who can only list", async () => {
		const reader = { name: role, groups: [] };
		await plane.api.apply({
			apiVersion: "rbac.authorization.k8s.io/v1",
			kind: "ClusterRole",
			metadata: { name: role },
			rules: [
				{ apiGroups: ["*"], resources: ["*"], verbs: ["list"] },
				{ apiGroups: [""], resources: ["configmaps"], resourceNames: ["istio"], verbs: ["get"] },
			],
		});
		await plane.api.apply({
			apiVersion: "rbac.authorization.k8s.io/v1",
			kind: "ClusterRoleBinding",
			metadata: { name: role },
			roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
			subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: role }],
		});
		const kubeconfig = await plane.kubeconfigFor(reader);
		const file = join(folder, "bundles.yaml");
		writeFileSync(file, text);
		const common = ["--waypoint", "edge/out", "--out"];
		const [ofFiles, ofCluster] = [join(folder, "files"), join(folder, "cluster")];
		const plain = await runVerb("migrate", file, ...common, ofFiles);
		const live = await runVerb("migrate", "--cluster", "--kubeconfig", kubeconfig, ...common, ofCluster);
		assert.equal(live.code, plain.code, live.error);
		const [expected, actual] = [contentOf(ofFiles), contentOf(ofCluster)];
		assert.deepEqual([...actual.keys()], [...expected.keys()]);
		for (const [name, object] of expected) {
			// The API server fills in what the Gateway API has defaults for, which is the same and longer.
			if (!/\/(?:httproute|gateway)\.news\./.test(name)) {
				assert.deepEqual(actual.get(name), object, name);
			}
		}
		const report = readFileSync(join(ofCluster, "REPORT.md"), "utf8");
		assert.match(report, /`cluster\/shop\/VirtualService\/github:1`/);
	});

	test("migrate --cluster says which permission is missing, and writes nothing", async () => {
		const kubeconfig = await plane.kubeconfigFor({ name: "waymark-e2e-nobody", groups: [] });
		const out = join(folder, "nothing");
		const { code, error } = await runVerb("migrate", "--cluster", "--kubeconfig", kubeconfig, "--out", out);
		assert.equal(code, 70, error);
		assert.match(error, /cannot list resource/);
		assert.throws(() => readdirSync(out), { code: "ENOENT" });
	});

	test("migrate --cluster takes no files", async () => {
		assert.equal((await runVerb("migrate", "--cluster", "examples")).code, 64);
	});
});
