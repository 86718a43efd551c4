import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { request as httpRequest } from "undici";
import { parseAllDocuments } from "yaml";
import type { Api, KubeObject } from "./api.ts";
import type { ControlPlaneFiles } from "./binaries.ts";
import { istiodFacts } from "./istiods.ts";
import type { ProcessGroup, RunningProcess } from "./processes.ts";
import { waitUntilReady } from "./processes.ts";

const execute = promisify(execFile);

/** The loopback ports of one control plane. They stay the same when a part is stopped and started again. */
export interface Ports {
	readonly etcdClient: number;
	readonly etcdPeer: number;
	readonly apiServer: number;
	readonly istiodHttp: number;
	readonly istiodHttps: number;
	readonly istiodGrpc: number;
	readonly istiodSecureGrpc: number;
	readonly istiodMonitoring: number;
}

/** How istiod runs, beyond the ambient profile. */
export interface IstiodOptions {
	/** Fields of the mesh configuration: `{ serviceEntryVisibility: … }`. */
	readonly meshConfig?: Readonly<Record<string, unknown>>;
	/** Environment variables on top of the usual ones. */
	readonly environment?: Readonly<Record<string, string>>;
}

/** Starts etcd and waits until it is healthy. */
export async function startEtcd(
	group: ProcessGroup,
	files: ControlPlaneFiles,
	ports: Ports,
): Promise<RunningProcess> {
	const client = `http://127.0.0.1:${ports.etcdClient}`;
	const peer = `http://127.0.0.1:${ports.etcdPeer}`;
	const etcd = group.start({
		name: "etcd",
		command: files.etcd,
		args: [
			"--name=default",
			`--data-dir=${join(group.folder, "etcd")}`,
			`--listen-client-urls=${client}`,
			`--advertise-client-urls=${client}`,
			`--listen-peer-urls=${peer}`,
			`--initial-advertise-peer-urls=${peer}`,
			`--initial-cluster=default=${peer}`,
			"--unsafe-no-fsync",
			"--log-level=warn",
		],
		env: { PATH: process.env.PATH },
	});
	await waitUntilReady(etcd, () => answersOk(`${client}/health`), 20_000);
	return etcd;
}

/** Makes etcd forget every revision but the newest, so that a watch from an older one gets 410 Gone. */
export async function compactEtcd(ports: Ports): Promise<void> {
	const url = `http://127.0.0.1:${ports.etcdClient}/v3/kv`;
	// "AA==" is the key of one zero byte: the answer is empty, its header has the newest revision.
	const range = await postJson(`${url}/range`, { key: "AA==" });
	const { revision } = (range as { header: { revision: string } }).header;
	await postJson(`${url}/compaction`, { revision, physical: true });
}

/** The files that the API server is started with, all in the group's folder. */
export interface ApiServerFiles {
	readonly certificate: string;
	readonly key: string;
	readonly clientCa: string;
	readonly serviceAccountKey: string;
	readonly auditPolicy: string;
	readonly auditLog: string;
}

/** Starts the API server; `isReady` asks its `/readyz` with the caller's certificate. */
export async function startApiServer(
	group: ProcessGroup,
	files: ControlPlaneFiles,
	ports: Ports,
	own: ApiServerFiles,
	flags: readonly string[],
	isReady: () => Promise<boolean>,
): Promise<RunningProcess> {
	const apiServer = group.start({
		name: "kube-apiserver",
		command: files.kubeApiserver,
		args: [
			`--etcd-servers=http://127.0.0.1:${ports.etcdClient}`,
			`--secure-port=${ports.apiServer}`,
			"--bind-address=127.0.0.1",
			"--advertise-address=127.0.0.1",
			`--tls-cert-file=${own.certificate}`,
			`--tls-private-key-file=${own.key}`,
			`--client-ca-file=${own.clientCa}`,
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			`--service-account-signing-key-file=${own.serviceAccountKey}`,
			`--service-account-key-file=${own.serviceAccountKey}`,
			"--service-cluster-ip-range=10.96.0.0/16",
			"--authorization-mode=RBAC",
			"--disable-admission-plugins=ServiceAccount",
			"--endpoint-reconciler-type=none",
			`--audit-policy-file=${own.auditPolicy}`,
			`--audit-log-path=${own.auditLog}`,
			...flags,
		],
		env: { PATH: process.env.PATH, HOME: group.folder },
	});
	await waitUntilReady(apiServer, isReady, 60_000);
	return apiServer;
}

/** Applies the CRDs of Istio and of the Gateway API and waits until all are established. */
export async function applyCrds(api: Api, files: ControlPlaneFiles): Promise<void> {
	const paths = [files.istioCrds];
	for (const name of await readdir(files.gatewayApiCrds)) {
		paths.push(join(files.gatewayApiCrds, name));
	}
	await applyDefinitions(api, await Promise.all(paths.map((path) => readFile(path, "utf8"))));
}

/** Applies the CRDs in texts of YAML and waits until all are established. */
export async function applyDefinitions(api: Api, texts: readonly string[]): Promise<void> {
	// The kustomization of the folder and the policy that guards upgrades are not CRDs.
	const crds = texts.flatMap(readObjects).filter((object) => object.kind === "CustomResourceDefinition");
	await Promise.all(crds.map((crd) => api.apply(crd)));
	await Promise.all(crds.map((crd) => waitUntilEstablished(api, crd.metadata.name ?? "")));
}

async function waitUntilEstablished(api: Api, name: string): Promise<void> {
	const deadline = Date.now() + 30_000;
	while (Date.now() < deadline) {
		const crd = await api.get("CustomResourceDefinition", undefined, name);
		const status = crd?.status as { conditions?: readonly { type: string; status: string }[] } | undefined;
		if (status?.conditions?.some(({ type, status }) => type === "Established" && status === "True")) {
			return;
		}
	}
	throw new Error(`Cannot apply the CRD ${name}: not established after 30 s`);
}

const runsOutside = new Set([
	"Deployment",
	"HorizontalPodAutoscaler",
	"PodDisruptionBudget",
	"MutatingWebhookConfiguration",
	"ValidatingWebhookConfiguration",
]);

/**
 * Renders istiod's chart in the ambient profile, without what a process outside the cluster has no use for, and with the
 * version that the release would write: this is how Waymark learns what the istiod does.
 */
export async function renderIstiod(
	files: ControlPlaneFiles,
	folder: string,
	options: IstiodOptions,
): Promise<readonly KubeObject[]> {
	const values = join(folder, "istiod-values.json");
	await writeFile(values, JSON.stringify({ profile: "ambient", meshConfig: options.meshConfig ?? {} }));
	const { stdout } = await execute(
		files.helm,
		["template", "istiod", files.istiodChart, "--namespace=istio-system", `--values=${values}`],
		{ env: { PATH: process.env.PATH, HOME: folder }, maxBuffer: 64 * 1024 * 1024 },
	);
	const { version } = await istiodFacts();
	return readObjects(stdout)
		.filter(({ kind }) => !runsOutside.has(kind))
		.map((object) => ({
			...object,
			metadata: {
				...object.metadata,
				labels: { ...object.metadata.labels, "app.kubernetes.io/version": version },
			},
		}));
}

/** Starts istiod and waits until it says that it is ready. */
export async function startIstiod(
	group: ProcessGroup,
	files: ControlPlaneFiles,
	ports: Ports,
	kubeconfig: string,
	options: IstiodOptions,
): Promise<RunningProcess> {
	const istiod = group.start({
		name: "istiod",
		command: files.istiod,
		args: [
			"discovery",
			`--kubeconfig=${kubeconfig}`,
			`--httpAddr=127.0.0.1:${ports.istiodHttp}`,
			`--httpsAddr=127.0.0.1:${ports.istiodHttps}`,
			`--grpcAddr=127.0.0.1:${ports.istiodGrpc}`,
			`--secureGRPCAddr=127.0.0.1:${ports.istiodSecureGrpc}`,
			`--monitoringAddr=127.0.0.1:${ports.istiodMonitoring}`,
			"--ctrlz_port=0",
		],
		env: {
			PATH: process.env.PATH,
			HOME: group.folder,
			PILOT_ENABLE_AMBIENT: "true",
			PILOT_ENABLE_STATUS: "true",
			PILOT_CERT_PROVIDER: "istiod",
			POD_NAMESPACE: "istio-system",
			POD_NAME: "istiod-0",
			REVISION: "default",
			CLUSTER_ID: "Kubernetes",
			SERVICE_ACCOUNT: "istiod",
			CA_TRUSTED_NODE_ACCOUNTS: "istio-system/ztunnel",
			...options.environment,
		},
	});
	await waitUntilReady(istiod, () => answersOk(`http://127.0.0.1:${ports.istiodHttp}/ready`), 60_000);
	return istiod;
}

/** Reads a stream of YAML documents; empty ones and those without a kind are left out. */
export function readObjects(text: string): readonly KubeObject[] {
	return parseAllDocuments(text, { logLevel: "error" })
		.map((document) => document.toJS() as KubeObject | null)
		.filter((object) => object?.kind !== undefined) as readonly KubeObject[];
}

async function answersOk(url: string): Promise<boolean> {
	const { statusCode, body } = await httpRequest(url, { headersTimeout: 2000 });
	await body.dump();
	return statusCode === 200;
}

async function postJson(url: string, body: object): Promise<unknown> {
	const response = await httpRequest(url, { method: "POST", body: JSON.stringify(body) });
	const text = await response.body.text();
	if (response.statusCode !== 200) {
		throw new Error(`Cannot post to ${url}: HTTP ${response.statusCode} ${text}`);
	}
	return JSON.parse(text);
}
