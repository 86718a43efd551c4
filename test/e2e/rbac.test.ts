import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PolicyRule } from "../../scripts/chart.ts";
import type { Kind } from "../../src/core/kinds.ts";
import { allKinds, kinds } from "../../src/core/kinds.ts";
import { defaultSettings } from "../../src/core/settings.ts";
import { connect } from "../../src/kube/client/connection.ts";
import { kubeconfigCredentials } from "../../src/kube/client/credentials.ts";
import type { Endpoint } from "../../src/kube/install/endpoints.ts";
import { readyEndpoints } from "../../src/kube/install/endpoints.ts";
import type { Cluster } from "../../src/kube/watch/cluster.ts";
import { followCluster } from "../../src/kube/watch/cluster.ts";
import { watchCrds } from "../../src/kube/watch/crd-watch.ts";
import { KindStore } from "../../src/kube/watch/kind-store.ts";
import { readMesh } from "../../src/kube/watch/mesh.ts";
import { Reflector } from "../../src/kube/watch/reflector.ts";
import { followedKinds } from "../../src/serve/followed-kinds.ts";
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

// What the auditor may do besides is held by audit.test.ts.
const objects = await render(plane, `--namespace=${home}`, "--set=audit.enabled=false");
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

async function follow(): Promise<Cluster> {
	return followCluster({
		credentials: await kubeconfigCredentials(kubeconfig),
		kinds: followedKinds,
		settings: defaultSettings,
		log: silent,
		budgetBytes: 64_000_000,
	});
}

/** Whether a kind that is installed a second after the feed began is followed before it would be asked for again. */
async function noticesInstallation(): Promise<boolean> {
	const name = "backendtlspolicies.gateway.networking.k8s.io";
	const definition = await plane.get("CustomResourceDefinition", undefined, name);
	assert.ok(definition !== undefined);
	await plane.api.delete("CustomResourceDefinition", undefined, name);
	const isThere = async (): Promise<boolean> =>
		(await plane.get("CustomResourceDefinition", undefined, name)) !== undefined;
	await eventually("the definition is gone", async () => !(await isThere()));
	const connection = connect(await kubeconfigCredentials(kubeconfig));
	const { group, plural, versions } = kinds.BackendTLSPolicy;
	// Minutes pass at once, and with them the patience that asks for a missing kind every second. Then both wait 1.6 s
	// from the second second on, and 3.2 s from the fourth.
	const pace = { now: () => performance.now() * 10_000, random: () => 0.999 };
	const reflector = new Reflector({
		connection,
		resource: { group, plural, versions },
		store: new KindStore(() => undefined, { replace() {}, set() {}, delete() {} }),
		metadataOnly: true,
		...pace,
	});
	reflector.start();
	const definitions = watchCrds(connection, new Map([["BackendTLSPolicy", reflector]]), pace);
	try {
		await reflector.synced;
		await sleep(3_500);
		await plane.api.create({
			apiVersion: definition.apiVersion,
			kind: definition.kind,
			metadata: { name, annotations: definition.metadata.annotations ?? {} },
			spec: definition.spec,
		});
		const end = performance.now() + 2_000;
		while (reflector.version === undefined && performance.now() < end) {
			await sleep(50);
		}
		return reflector.version !== undefined;
	} finally {
		await definitions.stop();
		await reflector.stop();
		await connection.stop();
	}
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
			it(`needs ${verb} on ${resource}.${group} to notice at once that a kind was installed`, async () => {
				assert.equal(await noticesInstallation(), true);
				await grant(permissions.filter((each) => each !== permission));
				try {
					assert.equal(await noticesInstallation(), false, "it would be noticed some seconds later");
				} finally {
					await grant(permissions);
				}
			});
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

/** Grants the reader the chart's Role of a namespace. */
async function bindRoles(namespace: string): Promise<void> {
	for (const object of objects) {
		if (object.metadata.namespace === namespace && /^Role(Binding)?$/.test(object.kind)) {
			await plane.api.apply({
				...object,
				metadata: { ...object.metadata, name: "waymark-rbac" },
				...(object.kind === "RoleBinding" && {
					roleRef: { ...(object.roleRef as object), name: "waymark-rbac" },
					subjects: [{ kind: "ServiceAccount", name: "reader", namespace: home }],
				}),
			});
		}
	}
}

describe("the chart's Roles", () => {
	it("let nothing be done but what certificates, bootstrap and Istio's settings need", () => {
		const roles = objects
			.filter(({ kind }) => kind === "Role")
			.flatMap(({ metadata, rules }) =>
				(rules as readonly PolicyRule[]).map(({ resources, resourceNames, verbs }) =>
					`${metadata.namespace}: ${verbs.join("+")} ${resources.join("+")} ${(resourceNames ?? []).join("+")}`.trim(),
				),
			);
		assert.deepEqual(roles.toSorted(), [
			"istio-system: get configmaps istio",
			`${home}: create secrets`,
			`${home}: create serviceentries`,
			`${home}: get configmaps waymark-break-glass`,
			`${home}: get+update secrets waymark-ca`,
			`${home}: list endpointslices`,
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

	it("let the replicas be found, which fails without", async () => {
		const connection = connect(await kubeconfigCredentials(kubeconfig));
		try {
			await plane.api.apply({
				apiVersion: "discovery.k8s.io/v1",
				kind: "EndpointSlice",
				metadata: { name: "waymark-1", namespace: home, labels: { "kubernetes.io/service-name": "waymark" } },
				addressType: "IPv4",
				endpoints: [{ addresses: ["10.244.0.7"], conditions: { ready: true } }],
				ports: [{ name: "webhook", port: 8443, protocol: "TCP" }],
			});
			const found = (): Promise<readonly Endpoint[]> =>
				readyEndpoints(connection, home, "waymark", "webhook");
			await assert.rejects(found, /endpointslices.*forbidden/);
			await bindRoles(home);
			await eventually("the replicas are found", () => found().then(Boolean, () => false));
			assert.deepEqual(await found(), [{ host: "10.244.0.7", port: 8443 }]);
		} finally {
			await connection.stop();
		}
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
			await bindRoles("istio-system");
			await eventually(
				"Istio's settings are read",
				async () => (await readMesh(connection)).problem === undefined,
			);
		} finally {
			await connection.stop();
		}
	});
});
