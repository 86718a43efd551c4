import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "./api.ts";
import { helm, mustHelm, podTemplate, render } from "./installation.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const home = "waymark-platforms";
const folder = join(import.meta.dirname, "platforms");
const installPage = readFileSync(join(import.meta.dirname, "../../docs/install.md"), "utf8");

interface Pod {
	readonly metadata: { readonly labels: Readonly<Record<string, string>> };
	readonly spec: {
		readonly serviceAccountName: string;
		readonly hostNetwork?: boolean;
		readonly dnsPolicy?: string;
		readonly imagePullSecrets?: readonly { readonly name: string }[];
		readonly securityContext: Readonly<Record<string, unknown>>;
		readonly volumes: readonly { readonly name: string }[];
		readonly containers: readonly {
			readonly image: string;
			readonly args: readonly string[];
			readonly env: readonly { readonly name: string }[];
			readonly ports: readonly { readonly containerPort: number }[];
			readonly securityContext: Readonly<Record<string, unknown>>;
			readonly volumeMounts: readonly { readonly name: string }[];
		}[];
	};
}

/** What a platform's values must come to, besides what the API server takes. */
const expectations: Readonly<Record<string, (objects: readonly KubeObject[], pod: Pod) => void>> = {
	bare: (_, { spec }) => {
		assert.equal(spec.containers[0]?.image, "registry.example/waymark:0.1.0");
		assert.equal(spec.securityContext.runAsUser, 65532);
	},
	openshift: (_, { spec }) => {
		assert.deepEqual(spec.securityContext, {
			runAsNonRoot: true,
			seccompProfile: { type: "RuntimeDefault" },
		});
	},
	aks: (objects) => {
		for (const webhooks of objects.filter(({ kind }) => kind.endsWith("WebhookConfiguration"))) {
			assert.equal(webhooks.metadata.annotations?.["admissions.enforcer/disabled"], "true");
			assert.equal(webhooks.metadata.annotations?.team, "platform");
		}
	},
	"eks-host-network": (objects, { spec }) => {
		assert.equal(spec.hostNetwork, true);
		assert.equal(spec.dnsPolicy, "ClusterFirstWithHostNet");
		assert.deepEqual(
			spec.containers[0]?.ports.map(({ containerPort }) => containerPort),
			[10443, 10081],
		);
		assert.ok(spec.containers[0]?.args.includes("--listen=:10443"));
		const policy = JSON.stringify(objects.find(({ kind }) => kind === "NetworkPolicy"));
		assert.match(policy, /"port":10443/);
		assert.doesNotMatch(policy, /8443|8081/);
	},
	ipv6: (_, { spec }) => {
		assert.ok(spec.containers[0]?.args.includes("--listen=[::]:8443"));
	},
	umbrella: (objects, { spec }) => {
		assert.equal(spec.containers[0]?.image, "registry.example/platform/waymark:0.1.0");
		assert.deepEqual(spec.imagePullSecrets, [{ name: "pull" }, { name: "other" }]);
		for (const { kind, metadata } of objects) {
			assert.match(metadata.name ?? "", /^egress-control/, kind);
			assert.equal(metadata.labels?.team, "platform", kind);
			assert.equal(metadata.annotations?.["example.com/owner"], "platform", `${kind} ${metadata.name}`);
		}
	},
	"air-gapped": (_, { spec }) => {
		const image = `registry.intern.example:5000/mirror/waymark@sha256:${"a".repeat(64)}`;
		assert.equal(spec.containers[0]?.image, image);
		assert.ok(spec.volumes.some(({ name }) => name === "intern"));
		assert.ok(spec.containers[0]?.volumeMounts.some(({ name }) => name === "intern"));
		assert.ok(spec.containers[0]?.env.some(({ name }) => name === "NODE_EXTRA_CA_CERTS"));
	},
	"argo-cd": (objects) => {
		const webhooks = objects.find(({ kind }) => kind === "ValidatingWebhookConfiguration")?.webhooks;
		const policies = (webhooks as readonly { readonly name: string; readonly failurePolicy: string }[])
			.filter(({ name }) => !["canary", "deletions", "bindings"].includes(name.split(".")[0] ?? ""))
			.map(({ failurePolicy }) => failurePolicy);
		assert.ok(policies.length >= 3 && policies.every((policy) => policy === "Fail"));
	},
	flux: (objects) => {
		const spec = objects.find(({ kind }) => kind === "Deployment")?.spec;
		assert.equal((spec as { readonly revisionHistoryLimit: number }).revisionHistoryLimit, 3);
	},
	"cert-manager": (objects, { spec }) => {
		assert.equal(spec.serviceAccountName, "waymark-egress");
		assert.ok(!objects.some(({ kind }) => kind === "ServiceAccount"));
		for (const { subjects } of objects.filter(({ kind }) => kind.endsWith("RoleBinding"))) {
			assert.deepEqual(
				(subjects as readonly { readonly name: string }[]).map(({ name }) => name),
				["waymark-egress"],
			);
		}
	},
	"single-node": (objects) => {
		assert.ok(!objects.some(({ kind }) => kind === "PodDisruptionBudget"));
	},
	first: (objects, { spec }) => {
		assert.equal(spec.containers[0]?.image, `registry.example/waymark@sha256:${"a".repeat(64)}`);
		assert.ok(spec.containers[0]?.args.includes("--docs=/app/site"));
		const config = objects.find(({ kind }) => kind === "ConfigMap")?.data;
		assert.match(JSON.stringify(config), /mode: audit/);
	},
	outside: (objects, { spec }) => {
		const deployment = objects.find(({ kind }) => kind === "Deployment")?.spec;
		assert.equal((deployment as { readonly replicas: number }).replicas, 0);
		for (const { webhooks } of objects.filter(({ kind }) => kind.endsWith("WebhookConfiguration"))) {
			for (const { clientConfig } of webhooks as readonly {
				readonly clientConfig: { readonly url?: string };
			}[]) {
				assert.match(clientConfig.url ?? "", /^https:\/\/waymark\.example\.com:8443\//);
			}
		}
		// What the page starts by hand is what the chart would have told a pod.
		const command = /^waymark serve [\s\S]*?(?=\n```)/m.exec(installPage)?.[0] ?? "";
		const alike = [...command.matchAll(/--(?:certificates=|bootstrap|audit|name=)\S*/g)].map(
			([flag]) => flag,
		);
		assert.equal(alike.length, 4);
		for (const flag of alike) {
			assert.ok(spec.containers[0]?.args.includes(flag), flag);
		}
	},
	hardened: (_, { spec }) => {
		assert.equal(spec.dnsPolicy, "Default");
		assert.equal(spec.securityContext.fsGroup, 65532);
		assert.equal(spec.securityContext.runAsNonRoot, true);
		assert.equal(spec.containers[0]?.securityContext.readOnlyRootFilesystem, true);
	},
};

describe("the chart on real platforms", () => {
	before(() => createNamespace(plane, home, { labels: { "pod-security.kubernetes.io/warn": "baseline" } }));

	it("has an expectation for every value file and a value file for every expectation", () => {
		assert.deepEqual(
			readdirSync(folder).toSorted(),
			Object.keys(expectations)
				.map((name) => `${name}.yaml`)
				.toSorted(),
		);
	});

	for (const name of ["first", "outside"]) {
		it(`docs/install.md shows ${name}.yaml as it is tried here`, () => {
			assert.ok(
				installPage.includes(`\`\`\`yaml\n${readFileSync(join(folder, `${name}.yaml`), "utf8")}\`\`\``),
			);
		});
	}

	for (const [name, expect] of Object.entries(expectations)) {
		it(`${name}: the API server takes what is rendered, and the pods are kept out of the mesh`, async () => {
			const values = join(folder, `${name}.yaml`);
			await mustHelm(plane, "lint", "--strict", "CHART", "--values", values);
			const objects = await render(plane, "--namespace", home, "--values", values);
			await accepts(objects);
			const pod = podTemplate(objects) as unknown as Pod;
			assert.equal(pod.metadata.labels["istio.io/dataplane-mode"], "none");
			assert.equal(pod.metadata.labels["sidecar.istio.io/inject"], "false");
			expect(objects, pod);
		});
	}

	it("the labels that keep the pods out of the mesh are taken away by null", async () => {
		const pod = podTemplate(
			await render(
				plane,
				"--set=podLabels.istio\\.io/dataplane-mode=null,podLabels.sidecar\\.istio\\.io/inject=null",
			),
		);
		assert.doesNotMatch(JSON.stringify(pod.metadata), /dataplane-mode|istio.io\/inject/);
	});
});

describe("a packaged chart whose version has build metadata", () => {
	const packages = mkdtempSync(join(tmpdir(), "waymark-chart-"));
	after(async () => {
		rmSync(packages, { recursive: true, force: true });
		await deleteNamespaces(plane, home);
	});

	for (const version of ["0.1.0+16ab02ab6843", `0.1.0+${"build.".repeat(12)}7`]) {
		it(`${version} is accepted whole by the API server`, async () => {
			await mustHelm(
				plane,
				...["package", "CHART", `--version=${version}`, `--app-version=${version}`, "-d", packages],
			);
			const archive = join(packages, `waymark-${version}.tgz`);
			const { code, stdout, stderr } = await helm(plane, ["template", "waymark", archive, "-n", home]);
			assert.equal(code, 0, stderr);
			const objects = parseAllDocuments(stdout)
				.map((document) => document.toJS() as KubeObject | null)
				.filter((object) => object !== null);
			assert.doesNotMatch(podTemplate(objects).spec.containers.map(imageOf).join(), /\+/);
			await accepts(objects);
		});
	}
});

function imageOf(container: object): string {
	return (container as { readonly image: string }).image;
}

/** Sends objects through the API server's dry run, but for those whose CRDs it does not have. */
async function accepts(objects: readonly KubeObject[]): Promise<void> {
	const ours = objects.filter(({ apiVersion }) => !/cert-manager|coreos/.test(apiVersion));
	const result = await plane.kubectl(["apply", "--server-side", "--dry-run=server", "--filename=-"], {
		stdin: ours,
	});
	assert.equal(result.code, 0, result.stderr);
	assert.equal(result.stdout.trim().split("\n").length, ours.length);
}
