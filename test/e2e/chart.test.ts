import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { startBalancer } from "../support/balancer.ts";
import type { KubeObject } from "./api.ts";
import { eventually, helm, mustHelm, podTemplate, render, startServe } from "./installation.ts";
import { createProcessGroup, freePorts } from "./processes.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry } from "./world.ts";

const plane = await useControlPlane();
const home = "waymark-chart";
const everything = [
	"--set=networkPolicy.enabled=true",
	"--set=monitoring.serviceMonitor.enabled=true",
	"--set=monitoring.prometheusRule.enabled=true",
	"--set=monitoring.dashboard.enabled=true",
];
const variants: Readonly<Record<string, readonly string[]>> = {
	default: [],
	everything,
	"cert-manager": [...everything, "--set=certificates.mode=cert-manager"],
	provided: ["--set=certificates.mode=provided", "--set=certificates.provided.secretName=mine"],
	"client certificates": [
		"--set=tls.clientCaConfigMap=front-proxy",
		"--set=tls.clientNames={kube-apiserver}",
		"--set-string=tls.minVersion=1.2",
	],
	"one replica outside": ["--set=replicas=1", "--set=webhooks.url=https://127.0.0.1:9443"],
	"cert-manager outside": [
		"--set=certificates.mode=cert-manager",
		"--set=webhooks.url=https://192.0.2.1:9443",
	],
	"nulls where nulls may be": [
		"--set=webhooks.excludedNamespaces=null",
		"--set=webhooks.annotations=null",
		"--set=resources=null",
		"--set=priorityClassName=null",
	],
	"the node's network": ["--set=hostNetwork=true", "--set-string=listenHost=[::]"],
	configured: [
		"--set=config.defaults.waypoint=istio-egress/waypoint",
		"--set=config.exemptNamespaces={istio-system}",
		"--set=webhooks.excludedNamespaces={legacy}",
	],
};

interface PodSpec {
	readonly serviceAccountName: string;
	readonly containers: readonly {
		readonly securityContext: Readonly<Record<string, unknown>>;
	}[];
	readonly volumes: readonly {
		readonly name: string;
		readonly projected?: {
			readonly sources: readonly { readonly serviceAccountToken?: { readonly expirationSeconds: number } }[];
		};
	}[];
}

interface RenderedWebhook {
	readonly matchPolicy: string;
	readonly rules: readonly { readonly apiVersions: readonly string[] }[];
}

/** What the four webhooks that can refuse end with, and the three that never do: bindings, deletions, the canary. */
const strictPolicies = ["Fail", "Fail", "Fail", "Fail", "Ignore", "Ignore", "Ignore"];

describe("the chart", () => {
	for (const [name, args] of Object.entries(variants)) {
		it(`${name}: passes helm lint --strict, renders the same bytes twice, and the API server takes it`, async () => {
			await mustHelm(plane, "lint", "--strict", "CHART", ...args);
			const [one, other] = await Promise.all(
				[1, 2].map(() => mustHelm(plane, "template", "waymark", "CHART", "--namespace", home, ...args)),
			);
			assert.equal(one, other);
			await createNamespace(plane, home);
			const objects = await render(plane, "--namespace", home, ...args);
			const foreign = objects.filter(({ apiVersion }) => /cert-manager|coreos/.test(apiVersion));
			const ours = objects.filter((object) => !foreign.includes(object));
			const result = await plane.kubectl(["apply", "--server-side", "--dry-run=server", "--filename=-"], {
				stdin: ours,
			});
			assert.equal(result.code, 0, result.stderr);
			assert.equal(result.stdout.trim().split("\n").length, ours.length);
			assert.doesNotMatch(result.stderr, /Warning/, "restricted pod security, deprecated fields");
			assert.equal(foreign.length > 0, /^everything|^cert-manager/.test(name));
		});
	}

	it("runs under the restricted pod security standard", async () => {
		await createNamespace(plane, home, { labels: { "pod-security.kubernetes.io/enforce": "restricted" } });
		const template = podTemplate(await render(plane, "--namespace", home));
		await plane.api.apply({
			apiVersion: "v1",
			kind: "ServiceAccount",
			metadata: { name: "waymark", namespace: home },
		});
		const result = await plane.tryApply(
			{
				apiVersion: "v1",
				kind: "Pod",
				metadata: { ...template.metadata, name: "waymark-x", namespace: home },
				spec: template.spec,
			},
			{ dryRun: true },
		);
		assert.equal(result.code, 0, result.stderr);
		await plane.api.delete("ServiceAccount", home, "waymark");
		await deleteNamespaces(plane, home);
	});

	it("mounts no Secret of the cluster and nothing of the node, has a root that nobody writes, and asks for every version", async () => {
		const objects = await render(plane, "--namespace", home);
		const { containers, volumes } = podTemplate(objects).spec as unknown as PodSpec;
		assert.deepEqual(
			volumes.map(({ name, ...source }) => [name, Object.keys(source)]),
			[
				["config", ["configMap"]],
				["token", ["projected"]],
			],
		);
		for (const { securityContext } of containers) {
			const { readOnlyRootFilesystem, allowPrivilegeEscalation, capabilities } = securityContext;
			assert.deepEqual(
				[readOnlyRootFilesystem, allowPrivilegeEscalation, capabilities],
				[true, false, { drop: ["ALL"] }],
			);
		}
		const webhooks = objects.flatMap(({ kind, ...rest }) =>
			kind.endsWith("WebhookConfiguration") ? (rest.webhooks as readonly RenderedWebhook[]) : [],
		);
		assert.ok(webhooks.length > 5);
		for (const { matchPolicy, rules } of webhooks) {
			assert.deepEqual(
				[matchPolicy, ...new Set(rules.flatMap(({ apiVersions }) => apiVersions))],
				["Equivalent", "*"],
			);
		}
	});

	it("asks for a token that lasts an hour, and ends with its pod", async () => {
		await using stack = new AsyncDisposableStack();
		await createNamespace(plane, home);
		stack.defer(() => deleteNamespaces(plane, home));
		const objects = await render(plane, "--namespace", home);
		const { metadata, spec } = podTemplate(objects);
		await plane.api.apply({
			apiVersion: "v1",
			kind: "ServiceAccount",
			metadata: { name: "waymark", namespace: home },
		});
		const named = { ...metadata, name: "bound", namespace: home };
		const pod = await plane.api.apply({ apiVersion: "v1", kind: "Pod", metadata: named, spec });
		const { volumes, serviceAccountName } = spec as unknown as PodSpec;
		const asked = volumes.flatMap(({ projected }) => projected?.sources ?? []);
		const expirationSeconds = asked.find((each) => each.serviceAccountToken)?.serviceAccountToken
			?.expirationSeconds;
		const answer = await plane.api.request(
			"POST",
			`/api/v1/namespaces/${home}/serviceaccounts/${serviceAccountName}/token`,
			{
				body: {
					spec: {
						expirationSeconds,
						boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "bound", uid: pod.metadata.uid },
					},
				},
			},
		);
		const { token } = (answer.body as { status: { token: string } }).status;
		const { iat, exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
		assert.equal(exp - iat, 3_600);
		const isTaken = async (): Promise<boolean> => {
			const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } };
			const { body } = await plane.api.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
				body: review,
			});
			return (body as { status: { authenticated?: boolean } }).status.authenticated === true;
		};
		assert.equal(await isTaken(), true);
		await plane.kubectl(["delete", "pod", "bound", "--namespace", home, "--force", "--grace-period=0"]);
		await eventually("the token has gone with its pod", async () => !(await isTaken()));
	});

	it("runs under a LimitRange and a ResourceQuota; under one of CPU limits with a limit only", async () => {
		await using stack = new AsyncDisposableStack();
		await createNamespace(plane, home);
		stack.defer(() => deleteNamespaces(plane, home));
		const account = {
			apiVersion: "v1",
			kind: "ServiceAccount",
			metadata: { name: "waymark", namespace: home },
		};
		await plane.api.apply(account);
		const tryPod = async (...args: readonly string[]): Promise<string> => {
			const { metadata, spec } = podTemplate(await render(plane, "--namespace", home, ...args));
			const pod = {
				apiVersion: "v1",
				kind: "Pod",
				metadata: { ...metadata, name: "x", namespace: home },
				spec,
			};
			return (await plane.tryApply(pod, { dryRun: true })).stderr;
		};
		const range = { type: "Container", max: { memory: "256Mi" }, min: { memory: "64Mi", cpu: "50m" } };
		await plane.api.apply({
			apiVersion: "v1",
			kind: "LimitRange",
			metadata: { name: "limits", namespace: home },
			spec: { limits: [range] },
		});
		await eventually("the range is in force", async () =>
			/maximum memory/.test(await tryPod("--set=resources.limits.memory=512Mi")),
		);
		assert.equal(await tryPod(), "");

		const hard = { pods: "4", "requests.cpu": "1", "requests.memory": "1Gi", "limits.cpu": "4" };
		await plane.api.apply({
			apiVersion: "v1",
			kind: "ResourceQuota",
			metadata: { name: "quota", namespace: home },
			spec: { hard },
		});
		// There is no controller to do it.
		const used = Object.fromEntries(Object.keys(hard).map((name) => [name, "0"]));
		const path = `/api/v1/namespaces/${home}/resourcequotas/quota/status`;
		const answer = await plane.api.request("PATCH", path, {
			body: { status: { hard, used } },
			contentType: "application/merge-patch+json",
		});
		assert.equal(answer.status, 200, JSON.stringify(answer.body));
		await eventually("the quota is in force", async () => /must specify limits\.cpu/.test(await tryPod()));
		assert.equal(await tryPod("--set=resources.limits.cpu=1"), "");
	});

	it("refuses values that it does not know, and what cannot be", async () => {
		for (const bad of [
			"replicaCount=2",
			"config.default.mode=warn",
			"certificates.mode=magic",
			"webhooks.url=http://x",
			"certificates.mode=provided",
		]) {
			const result = await helm(plane, ["template", "waymark", "CHART", `--set=${bad}`]);
			assert.notEqual(result.code, 0, bad);
			assert.match(result.stderr, /schema|secretName/, bad);
		}
	});

	it("gives its Service a name that a Service can have, whatever the release is called", async () => {
		await createNamespace(plane, home);
		for (const [release, expected] of [
			["egress", "egress-waymark"],
			["my.waymark.v2", "my-waymark-v2"],
			["24-egress", "egress-waymark"],
			[`a${"1.".repeat(25)}b`, `a${"1-".repeat(23)}1`],
		] as const) {
			const text = await mustHelm(plane, "template", release, "CHART", "--namespace", home);
			const objects = parseAllDocuments(text).flatMap((each) => (each.toJS() as KubeObject | null) ?? []);
			const names = objects.filter(({ kind }) => kind === "Service").map(({ metadata }) => metadata.name);
			assert.deepEqual(names.toSorted(), [expected, `${expected}-operations`]);
			const result = await plane.tryApply(
				objects.filter(({ metadata }) => metadata.namespace !== "istio-system"),
				{ dryRun: true },
			);
			assert.equal(result.code, 0, result.stderr);
		}
	});

	it("leaves the PodDisruptionBudget out for a single replica", async () => {
		const kindsOf = async (...args: readonly string[]): Promise<readonly string[]> =>
			(await render(plane, ...args)).map(({ kind }) => kind);
		assert.ok((await kindsOf()).includes("PodDisruptionBudget"));
		assert.ok(!(await kindsOf("--set=replicas=1")).includes("PodDisruptionBudget"));
	});

	it("lets in by its NetworkPolicy whom the values name, and out to the API server, DNS and other replicas", async () => {
		const objects = await render(
			plane,
			"--set=networkPolicy.enabled=true",
			"--set=networkPolicy.apiServerFrom[0].ipBlock.cidr=192.0.2.10/32",
			"--set=networkPolicy.metricsFrom[0].podSelector.matchLabels.app=prometheus",
		);
		const policy = objects.find(({ kind }) => kind === "NetworkPolicy");
		const own = { "app.kubernetes.io/name": "waymark", "app.kubernetes.io/instance": "waymark" };
		const replicas = { podSelector: { matchLabels: own } };
		const tcp = (...ports: readonly number[]) => ports.map((port) => ({ port, protocol: "TCP" }));
		assert.deepEqual(policy?.spec, {
			podSelector: { matchLabels: own },
			policyTypes: ["Ingress", "Egress"],
			ingress: [
				{ ports: tcp(8443), from: [{ ipBlock: { cidr: "192.0.2.10/32" } }, replicas] },
				{ ports: tcp(8081), from: [{ podSelector: { matchLabels: { app: "prometheus" } } }] },
			],
			egress: [
				{ ports: tcp(443, 6443) },
				{ ports: [{ port: 53, protocol: "UDP" }, ...tcp(53)] },
				{ ports: tcp(8443), to: [replicas] },
			],
		});
		// The policy is that of the pods.
		const { labels } = podTemplate(objects).metadata as KubeObject["metadata"];
		assert.deepEqual({ ...labels, ...own }, labels);
	});

	it("never renders a CA bundle that it was not given", async () => {
		for (const args of Object.values(variants)) {
			assert.doesNotMatch(await mustHelm(plane, "template", "waymark", "CHART", ...args), /caBundle/);
		}
	});
});

describe("an installation", () => {
	it("makes itself strict, survives upgrade and rollback, shows no drift, and leaves a writable cluster", async (context) => {
		const ports = await freePorts(7);
		const [balanced = 0, ...others] = ports;
		const replicaPorts = others.slice(0, 3);
		const args = [
			`--namespace=${home}`,
			`--set=webhooks.url=https://127.0.0.1:${balanced}`,
			"--set=config.limits.deniedHosts={*.evil.example}",
		];
		await createNamespace(plane, home);
		await createNamespace(plane, "chart-egress");
		await createWaypoint(plane, "chart-egress", "waypoint", { from: { from: "All" } });
		await createNamespace(plane, "chart-team", {
			labels: { "istio.io/dataplane-mode": "ambient" },
			annotations: { "egress.waymark.dev/waypoint": "chart-egress/waypoint" },
		});
		await using stack = new AsyncDisposableStack();
		const group = await createProcessGroup();
		stack.defer(() => group.stop());
		stack.defer(() => deleteNamespaces(plane, home, "chart-egress", "chart-team"));
		stack.defer(async () => {
			await helm(plane, ["uninstall", "waymark", `--namespace=${home}`]);
		});

		await mustHelm(plane, "install", "waymark", "CHART", "--wait=false", ...args);
		assert.deepEqual(await policies(), Array(7).fill("Ignore"));
		const before = await plane.tryApply(entry("before", "before.example.com"));
		assert.equal(before.code, 0, "nobody is there yet, and nothing is refused");

		const objects = await render(plane, ...args);
		const kubeconfig = await plane.serviceAccountKubeconfig(home, "waymark");
		const replicas = await Promise.all(
			replicaPorts.map((port, index) =>
				startServe({
					group,
					name: `waymark-${index}`,
					objects,
					kubeconfig,
					namespace: home,
					port,
					operations: others[index + 3] ?? 0,
					peers: replicaPorts,
				}),
			),
		);
		const processes = replicas.map(({ running }) => running);
		let alive = replicaPorts;
		const balancer = await startBalancer({
			port: balanced,
			backends: () => alive.map((port) => ({ host: "127.0.0.1", port, isReady: () => true })),
		});
		stack.defer(() => balancer.stop());
		const strict = await eventually(
			"the validating webhooks fail closed",
			async () => (await policies()).join() === strictPolicies.join(),
			{ processes },
		);
		context.diagnostic(`strict ${Math.round(strict)} ms after the start of three replicas`);
		for (const replica of replicas) {
			await eventually("a replica is ready", async () => (await replica.readiness())?.ready === true, {
				processes,
			});
		}

		// The seed's story.
		const plain = await plane.tryApply(entry("plain", "api.example.com"));
		assert.equal(plain.code, 0, plain.stderr);
		const labels = (await plane.get("ServiceEntry", "chart-team", "plain"))?.metadata.labels;
		assert.equal(labels?.["istio.io/use-waypoint"], "waypoint");
		assert.equal(labels?.["istio.io/use-waypoint-namespace"], "chart-egress");
		assert.equal((await plane.istiod.waypointBound("chart-team", "plain"))?.status, "True");
		const evil = await plane.tryApply(entry("evil", "www.evil.example"));
		assert.match(evil.stderr, /validate\.waymark\.dev.*serviceentry-policy-host/s);
		const annotation = await plane.kubectl([
			"annotate",
			"namespace",
			"chart-team",
			"egress.waymark.dev/mode=Enforce",
		]);
		assert.match(annotation.stderr, /namespaces\.waymark\.dev.*namespace-annotation/s);

		// GitOps: what is applied again changes nothing but what is documented.
		assert.deepEqual(await drift(args), ["caBundle", "failurePolicy"]);

		await mustHelm(plane, "upgrade", "waymark", "CHART", "--wait=false", ...args, "--set=replicas=2");
		assert.deepEqual(await policies(), strictPolicies, "an upgrade does not open what was closed");
		// As a revision with another list of webhooks would leave it: what comes back has no CA bundle yet.
		for (const [kind, name] of [
			["mutatingwebhookconfiguration", "mutate-updates.waymark.dev"],
			["validatingwebhookconfiguration", "validate-updates.waymark.dev"],
		] as const) {
			const webhooks = [{ $patch: "delete", name }];
			const result = await plane.kubectl([
				"patch",
				kind,
				"waymark",
				`--patch=${JSON.stringify({ webhooks })}`,
			]);
			assert.equal(result.code, 0, result.stderr);
		}
		await mustHelm(plane, "rollback", "waymark", "1", `--namespace=${home}`);
		const again = await eventually(
			"strict again after the rollback",
			async () => (await policies()).join() === strictPolicies.join(),
			{ processes, limitMs: 90_000 },
		);
		context.diagnostic(
			`strict again ${Math.round(again)} ms after a rollback to the revision that says Ignore`,
		);
		assert.equal((await plane.tryApply(entry("after-rollback", "two.example.com"))).code, 0);
		const worse = await plane.tryApply(entry("after-rollback", "two.evil.example"));
		assert.match(worse.stderr, /validate-updates\.waymark\.dev.*serviceentry-policy-host/s);

		// Away: what would be judged is refused, everything else goes on.
		alive = [];
		await Promise.all(processes.map((each) => each.stop("SIGKILL")));
		const away = await plane.tryApply(entry("away", "three.example.com"));
		assert.match(away.stderr, /failed calling webhook "validate\.waymark\.dev"/);
		for (const free of [
			["annotate", "serviceentry", "-n", "chart-team", "plain", "--overwrite", "x-"],
			["annotate", "namespace", "default", "waymark-chart-test=1"],
			["annotate", "namespace", "default", "waymark-chart-test-"],
			["create", "namespace", "chart-other"],
			["delete", "namespace", "chart-other", "--wait=false"],
			["create", "configmap", "-n", "chart-team", "free"],
			["delete", "serviceentry", "-n", "chart-team", "plain"],
		]) {
			const result = await plane.kubectl(free);
			assert.equal(result.code, 0, `${free.join(" ")}: ${result.stderr}`);
		}
		await deleteNamespaces(plane, "chart-other");

		await mustHelm(plane, "uninstall", "waymark", `--namespace=${home}`);
		const left = await Promise.all(
			[
				"MutatingWebhookConfiguration",
				"ValidatingWebhookConfiguration",
				"ClusterRole",
				"ClusterRoleBinding",
			].map((kind) => plane.get(kind, undefined, "waymark")),
		);
		assert.deepEqual(
			left.filter((object) => object !== undefined),
			[],
		);
		await eventually("the cluster is writable", async () => {
			const result = await plane.tryApply(entry("free", "www.evil.example"));
			return result.code === 0;
		});
	});

	it("whose namespace went first is taken over by the next one of its name, or deleted by hand", async () => {
		const [port = 0] = await freePorts(1);
		const args = [
			`--namespace=${home}`,
			"--set=webhooks.failurePolicy=Fail",
			`--set=webhooks.url=https://127.0.0.1:${port}`,
		];
		await using stack = new AsyncDisposableStack();
		stack.defer(() => deleteNamespaces(plane, home, "chart-team"));
		stack.defer(async () => {
			await plane.kubectl(["delete", "--ignore-not-found", leftOver, "waymark"]);
			await plane.kubectl(["delete", "--namespace=istio-system", "role,rolebinding", "waymark"]);
		});
		const isBlocked = async (): Promise<boolean> =>
			/failed calling webhook/.test((await plane.tryApply(entry("x", "x.example.com"))).stderr);
		await createNamespace(plane, "chart-team");
		await createNamespace(plane, home);
		await mustHelm(plane, "install", "waymark", "CHART", "--wait=false", ...args);
		await deleteNamespaces(plane, home);
		await eventually("what is judged is refused, since nobody answers", isBlocked);
		assert.notEqual((await helm(plane, ["uninstall", "waymark", `--namespace=${home}`])).code, 0);

		await createNamespace(plane, home);
		await mustHelm(plane, "install", "waymark", "CHART", "--wait=false", ...args);
		assert.deepEqual(await policies(), strictPolicies);
		await deleteNamespaces(plane, home);

		const deleted = await plane.kubectl(["delete", leftOver, "waymark"]);
		assert.equal(deleted.code, 0, deleted.stderr);
		await eventually("the cluster is writable", async () => !(await isBlocked()));
	});
});

/** What is left of an installation whose namespace was deleted. */
const leftOver = "validatingwebhookconfiguration,mutatingwebhookconfiguration,clusterrole,clusterrolebinding";

function entry(name: string, host: string): KubeObject {
	return serviceEntry("chart-team", name, host);
}

async function policies(): Promise<readonly string[]> {
	const configuration = await plane.get("ValidatingWebhookConfiguration", undefined, "waymark");
	return ((configuration?.webhooks as readonly { readonly failurePolicy: string }[] | undefined) ?? []).map(
		({ failurePolicy }) => failurePolicy,
	);
}

/** The names of the fields in which the live objects differ from a rendering, as a GitOps tool would see it. */
async function drift(args: readonly string[]): Promise<readonly string[]> {
	const differing = new Set<string>();
	for (const wanted of await render(plane, ...args)) {
		const live = await plane.get(kindName(wanted), wanted.metadata.namespace, wanted.metadata.name ?? "");
		assert.ok(live !== undefined, `${wanted.kind} ${wanted.metadata.name}`);
		compare(wanted, live, wanted.kind, wanted.kind.endsWith("WebhookConfiguration"), differing);
	}
	return [...differing].toSorted();
}

function kindName({ apiVersion, kind }: KubeObject): string {
	return apiVersion.includes("/") ? `${kind}.${apiVersion.split("/")[0]}` : kind;
}

/** Notes fields of the rendering that are otherwise in the cluster; with `exact`, also those that only the cluster has. */
function compare(wanted: unknown, live: unknown, path: string, exact: boolean, differing: Set<string>): void {
	const field = path.split(".").at(-1) ?? path;
	if (typeof wanted !== "object" || wanted === null || typeof live !== "object" || live === null) {
		if (wanted !== live) {
			differing.add(field);
		}
		return;
	}
	const isMetadata = field === "metadata";
	const keys = new Set([...Object.keys(wanted), ...(exact && !isMetadata ? Object.keys(live) : [])]);
	for (const key of keys) {
		compare(
			(wanted as Readonly<Record<string, unknown>>)[key],
			(live as Readonly<Record<string, unknown>>)[key],
			/^\d+$/.test(key) ? path : `${path}.${key}`,
			exact && !isMetadata,
			differing,
		);
	}
}
