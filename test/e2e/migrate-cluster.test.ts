import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { bundles } from "../support/bundles.ts";
import { runVerb } from "../support/run-verb.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, createWaypoint, deleteNamespaces } from "./world.ts";

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

	test("migrate --verify looks at Roles, at Secrets without their content, and at the way back", async () => {
		const [out, file, own, edge] = [
			join(folder, "secret"),
			join(folder, "secret.yaml"),
			"secret-shop",
			"secret-edge",
		];
		const way = (bundles.origination ?? "")
			.replaceAll("namespace: shop", `namespace: ${own}`)
			.replaceAll("namespace: istio-system", `namespace: ${own}`)
			.replaceAll("istio-system/github", `${own}/github`)
			.replace("hosts: [shop/", `hosts: [${own}/`)
			.replace("mode: SIMPLE, sni", "mode: MUTUAL, credentialName: client, sni");
		writeFileSync(file, way);
		await createNamespace(plane, own);
		await createNamespace(plane, edge);
		await createWaypoint(plane, edge, "out", { from: { from: "All" } });
		try {
			await plane.kubectl(["apply", "-f", file]);
			await runVerb("migrate", file, "--waypoint", `${edge}/out`, "--out", out);
			const verify = (kubeconfig: string, ...more: readonly string[]): ReturnType<typeof runVerb> =>
				runVerb("migrate", "--verify", "--cluster", "--kubeconfig", kubeconfig, "--out", out, ...more);
			const untouched = await verify(plane.kubeconfig, "--stage", "back");
			assert.equal(untouched.code, 0, untouched.out);
			const before = await verify(plane.kubeconfig, "--stage", "1-add");
			assert.equal(before.code, 1);
			assert.match(before.out, new RegExp(`missing: Role ${edge}/out-secrets is not there`));
			assert.match(before.out, new RegExp(`missing: Secret ${edge}/client is not there`));
			await plane.kubectl(["apply", "-f", join(out, "1-add")]);
			await plane.kubectl(["create", "secret", "generic", "client", "-n", edge, "--from-literal=ca.crt=x"]);
			const added = await verify(plane.kubeconfig, "--stage", "1-add");
			assert.equal(added.code, 0, added.out);
			const reader = await plane.kubeconfigFor({ name: role, groups: [] });
			const hidden = await verify(reader, "--stage", "1-add");
			assert.equal(hidden.code, 1);
			assert.match(
				hidden.out,
				new RegExp(`Role ${edge}/out-secrets was not looked at: this user may not get it`),
			);
			assert.match(hidden.out, new RegExp(`Secret ${edge}/client was not looked at`));
			await plane.kubectl(["apply", "-f", join(out, "2-switch")]);
			const gone = await verify(plane.kubeconfig, "--stage", "back");
			assert.equal(gone.code, 1);
			assert.match(gone.out, /^back: \d+ of \d+ done so far\n/);
			await plane.kubectl(["apply", "-f", join(out, "back")]);
			await plane.kubectl(["delete", "-f", join(out, "1-add"), "--ignore-not-found"]);
			const left = await verify(plane.kubeconfig, "--stage", "back");
			assert.match(left.out, new RegExp(`missing: VirtualService ${own}/github-waypoint is there still`));
			await plane.kubectl(["delete", "virtualservice", "-n", own, "github-waypoint"]);
			const returned = await verify(plane.kubeconfig, "--stage", "back", "--output", "json");
			assert.equal(returned.code, 0, returned.out);
		} finally {
			await plane.kubectl(["delete", "-f", file, "--ignore-not-found"]);
			await deleteNamespaces(plane, own, edge);
		}
	});

	test("migrate --verify says what is done, what is missing, and what the next stage would break", async () => {
		const out = join(folder, "verified");
		const file = join(folder, "plain.yaml");
		const own = "verified-shop";
		const way = (bundles.plain ?? "").replaceAll("namespace: shop", `namespace: ${own}`);
		writeFileSync(file, way);
		await createNamespace(plane, own, { labels: { "istio-injection": "enabled" } });
		await createNamespace(plane, "verified-edge");
		await createWaypoint(plane, "verified-edge", "out", { from: { from: "All" } });
		try {
			await plane.apply(way);
			await runVerb("migrate", file, "--waypoint", "verified-edge/out", "--out", out);
			const common = ["--verify", "--cluster", "--kubeconfig", plane.kubeconfig, "--out", out];
			const before = await runVerb("migrate", ...common);
			assert.equal(before.code, 1, before.error);
			assert.match(
				before.out,
				/^1-add: 0 of 1 done so far\n {2}missing: ServiceEntry verified-shop\/payments differs at metadata\.labels/,
			);
			assert.match(before.out, /3-remove: 0 of 3 done so far/);
			assert.match(before.out, /would break: ServiceEntry verified-shop\/payments differs/);
			await plane.apply(readFileSync(join(out, "1-add/serviceentry.verified-shop.payments.yaml"), "utf8"));
			await plane.istiod.waypointBound(own, "payments");
			const added = await runVerb("migrate", ...common, "--stage", "1-add");
			assert.equal(added.code, 0, added.out);
			assert.match(added.out, /^1-add: 1 of 1 done\n3-remove/);
			assert.match(added.out, /would break: namespace verified-shop gets sidecars still/);
			assert.equal((await runVerb("migrate", ...common)).code, 1);
			for (const removal of readdirSync(join(out, "3-remove"))) {
				await plane.kubectl(["delete", "-f", join(out, "3-remove", removal)]);
			}
			const after = await runVerb("migrate", ...common);
			assert.deepEqual([after.code, after.out], [0, "1-add: 1 of 1 done\n3-remove: 3 of 3 done\n"]);
			assert.equal((await runVerb("migrate", "--verify", "--out", out)).code, 64);
			assert.equal((await runVerb("migrate", ...common, "--stage", "4-rest")).code, 64);
		} finally {
			await deleteNamespaces(plane, own, "verified-edge");
		}
	});
});
