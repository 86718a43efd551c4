import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { PolicyRule } from "../../scripts/chart.ts";
import { followedKinds } from "../../src/cli/served-world.ts";
import type { Kind } from "../../src/core/kinds.ts";
import { allKinds, kinds } from "../../src/core/kinds.ts";
import { defaultSettings } from "../../src/core/settings.ts";
import { connect } from "../../src/kube/connection.ts";
import { kubeconfigCredentials } from "../../src/kube/credentials.ts";
import { readMesh } from "../../src/kube/mesh.ts";
import type { ClusterWorld } from "../../src/kube/world.ts";
import { followCluster } from "../../src/kube/world.ts";
import { startControlPlane } from "./control-plane.ts";
import { eventually, render } from "./installation.ts";
import { createNamespace } from "./world.ts";

// A control plane as it is before Kubernetes 1.34, where a watch does not begin with what is there: it needs a list.
const plane = await startControlPlane({ istiod: false, apiServerFlags: ["--feature-gates=WatchList=false"] });
after(() => plane.stop());
const home = "waymark-rbac";
const silent = { info() {}, warn() {} };

/** One verb on one resource: what is taken away at a time. */
interface Permission {
	readonly group: string;
	readonly resource: string;
	readonly verb: string;
}

const objects = await render(plane, `--namespace=${home}`);
const clusterRules = (objects.find(({ kind }) => kind === "ClusterRole")?.rules ??
	[]) as readonly PolicyRule[];
const reads = clusterRules.filter(({ verbs }) => verbs.includes("list"));
const permissions: readonly Permission[] = reads.flatMap(({ apiGroups, resources, verbs }) =>
	resources.flatMap((resource) => verbs.map((verb) => ({ group: apiGroups[0] ?? "", resource, verb }))),
);
let kubeconfig = "";

before(async () => {
	await createNamespace(plane, home);
	kubeconfig = await plane.serviceAccountKubeconfig(home, "reader");
	await plane.api.apply({
		apiVersion: "rbac.authorization.k8s.io/v1",
		kind: "ClusterRoleBinding",
		metadata: { name: "waymark-rbac" },
		roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "waymark-rbac" },
		subjects: [{ kind: "ServiceAccount", name: "reader", namespace: home }],
	});
	await grant(permissions);
});

/** Makes the reader's rights exactly these, and waits until the API server acts by them. */
async function grant(granted: readonly Permission[]): Promise<void> {
	await plane.api.apply({
		apiVersion: "rbac.authorization.k8s.io/v1",
		kind: "ClusterRole",
		metadata: { name: "waymark-rbac" },
		rules: granted.map(({ group, resource, verb }) => ({
			apiGroups: [group],
			resources: [resource],
			verbs: [verb],
		})),
	});
	const user = { name: `system:serviceaccount:${home}:reader`, groups: ["system:serviceaccounts"] };
	for (const permission of permissions) {
		await eventually(
			`${permission.verb} ${permission.resource} is as granted`,
			async () => {
				const spec = {
					user: user.name,
					groups: user.groups,
					resourceAttributes: {
						group: permission.group,
						resource: permission.resource,
						verb: permission.verb,
					},
				};
				const answer = await plane.api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
					body: { spec },
				});
				const { status } = answer.body as { readonly status?: { readonly allowed: boolean } };
				return status?.allowed === granted.includes(permission);
			},
			{ limitMs: 5000 },
		);
	}
}

async function follow(): Promise<ClusterWorld> {
	return followCluster({
		credentials: await kubeconfigCredentials(kubeconfig),
		kinds: followedKinds(),
		settings: defaultSettings,
		log: silent,
	});
}

function kindOf({ group, resource }: Permission): Kind | undefined {
	return allKinds.find((kind) => kinds[kind].group === group && kinds[kind].plural === resource);
}

describe("the chart's ClusterRole", () => {
	it("is enough to follow and to confirm every kind", async () => {
		assert.ok(permissions.length >= 15);
		const world = await follow();
		try {
			await world.synced;
			for (const [kind, status] of world.status().kinds) {
				await eventually(
					`the feed follows ${kind}`,
					async () => world.status().kinds.get(kind)?.following === true,
					{ limitMs: 10_000 },
				);
				assert.ok(status.synced, kind);
			}
			const confirmed = permissions
				.filter(({ verb }) => verb === "get")
				.flatMap((each) => kindOf(each) ?? []);
			for (const kind of confirmed) {
				const absence = { kind, namespace: kinds[kind].namespaced ? home : "", name: "absent" };
				assert.deepEqual(await world.confirm([absence], 2000), { found: false, unconfirmed: false }, kind);
			}
		} finally {
			await world.stop();
		}
	});

	it("reads nothing else: no Secret, no ConfigMap, no Pod, and writes nothing", async () => {
		for (const args of [
			["get", "secrets", "-A"],
			["get", "configmaps", "-A"],
			["get", "pods", "-A"],
			["create", "namespace", "waymark-rbac-x"],
			["annotate", "namespace", home, "egress.waymark.dev/mode=off"],
			["get", "validatingwebhookconfigurations"],
		]) {
			const result = await plane.kubectl(args, { kubeconfig });
			assert.match(result.stderr, /forbidden/, args.join(" "));
		}
	});

	for (const permission of permissions) {
		const { verb, resource, group } = permission;
		const kind = kindOf(permission);
		if (kind === undefined) {
			// Definitions only save time: without them, a kind that comes later is noticed ten seconds later.
			continue;
		}
		it(`needs ${verb} on ${resource}${group === "" ? "" : `.${group}`}`, async () => {
			await grant(permissions.filter((each) => each !== permission));
			try {
				const world = await follow();
				try {
					if (verb === "get") {
						await world.synced;
						const absence = { kind, namespace: kinds[kind].namespaced ? home : "", name: "absent" };
						assert.equal((await world.confirm([absence], 2000)).unconfirmed, true, "denials rest on absence");
					} else {
						await eventually(
							`the feed of ${kind} is refused`,
							async () => {
								const status = world.status().kinds.get(kind);
								return /forbidden|403/i.test(status?.problem ?? "") && status?.following === false;
							},
							{ limitMs: 10_000 },
						);
					}
				} finally {
					await world.stop();
				}
			} finally {
				await grant(permissions);
			}
		});
	}
});

describe("the chart's Roles", () => {
	it("let nothing be done but what certificates, bootstrap and Istio's settings need", () => {
		const roles = objects
			.filter(({ kind }) => kind === "Role")
			.flatMap(({ metadata, rules }) =>
				(rules as readonly PolicyRule[]).map(({ resources, resourceNames, verbs }) =>
					`${metadata.namespace}: ${verbs.join("+")} ${resources.join("+")} ${(resourceNames ?? []).join("+")}`.trim(),
				),
			);
		assert.deepEqual(roles, [
			`${home}: create secrets`,
			`${home}: get+update secrets waymark-ca`,
			`${home}: list endpointslices`,
			`${home}: create serviceentries`,
			"istio-system: get configmaps istio",
		]);
		const others = clusterRules.filter((rule) => !reads.includes(rule));
		assert.deepEqual(others, [
			{
				apiGroups: ["admissionregistration.k8s.io"],
				resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
				resourceNames: ["waymark"],
				verbs: ["get", "update"],
			},
		]);
	});

	it("let Istio's settings be read, which fails without", async () => {
		await createNamespace(plane, "istio-system");
		await plane.api.apply({
			apiVersion: "v1",
			kind: "ConfigMap",
			metadata: { name: "istio", namespace: "istio-system" },
			data: { mesh: "rootNamespace: istio-system" },
		});
		const connection = connect(await kubeconfigCredentials(kubeconfig));
		try {
			assert.match((await readMesh(connection)).problem ?? "", /forbidden/);
			for (const object of objects.filter(({ metadata }) => metadata.namespace === "istio-system")) {
				await plane.api.apply({
					...object,
					metadata: { ...object.metadata, name: "waymark-rbac" },
					...(object.kind === "RoleBinding" && {
						roleRef: { ...(object.roleRef as object), name: "waymark-rbac" },
						subjects: [{ kind: "ServiceAccount", name: "reader", namespace: home }],
					}),
				});
			}
			await eventually(
				"Istio's settings are read",
				async () => (await readMesh(connection)).problem === undefined,
			);
		} finally {
			await connection.stop();
		}
	});
});
