import { generateKeyPairSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Api, KubeObject } from "./api.ts";
import { createApi } from "./api.ts";
import type { ControlPlaneFiles } from "./binaries.ts";
import { findControlPlane } from "./binaries.ts";
import type { Identity, KeyPair } from "./certificates.ts";
import { createAuthority, issueCertificate } from "./certificates.ts";
import type { ApiServerFiles, IstiodOptions, Ports } from "./components.ts";
import {
	applyCrds,
	compactEtcd,
	renderIstiod,
	startApiServer,
	startEtcd,
	startIstiod,
} from "./components.ts";
import { clientCertificate, serviceAccount, writeKubeconfig } from "./kubeconfig.ts";
import type { ApplyOptions, KubectlOptions, KubectlPlace, KubectlResult, Manifests } from "./kubectl.ts";
import { applyFlags, runKubectl } from "./kubectl.ts";
import type { IstiodOracles } from "./oracles.ts";
import { createIstiodOracles } from "./oracles.ts";
import type { ProcessGroup, RunningProcess } from "./processes.ts";
import { createProcessGroup, freePorts, waitUntilReady } from "./processes.ts";

/** How to start a control plane. */
export interface ControlPlaneOptions {
	/** `false` leaves istiod out, which saves three seconds and 140 MB. */
	readonly istiod?: IstiodOptions | false;
	/** Further flags of kube-apiserver. */
	readonly apiServerFlags?: readonly string[];
}

/** What another process needs to use a running control plane; it survives JSON. */
export interface Connection {
	/** The folder with the logs, the kubeconfig and the CA; removed when the control plane stops. */
	readonly folder: string;
	readonly apiServerUrl: string;
	/** The path of a kubeconfig with all rights. */
	readonly kubeconfig: string;
	/** Signs the API server's certificate and every client certificate; PEM. */
	readonly authority: KeyPair;
	/** The client certificate of an administrator (group system:masters); PEM. */
	readonly administrator: KeyPair;
	readonly ports: Ports;
	readonly files: ControlPlaneFiles;
}

/** A running control plane, perhaps shared with other test files: nothing here stops a part of it. */
export interface ControlPlane {
	readonly connection: Connection;
	readonly apiServerUrl: string;
	readonly kubeconfig: string;
	/** The API server over REST, as an administrator. */
	readonly api: Api;
	/** What istiod itself says: the truth that rules are held to. */
	readonly istiod: IstiodOracles;
	/** Runs the real kubectl; never throws because of what it answers. */
	kubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult>;
	/** `kubectl apply`; throws with its stderr when it fails. */
	apply(manifests: Manifests, options?: ApplyOptions): Promise<KubectlResult>;
	/** `kubectl apply` that may be refused: look at `code` and `stderr`. */
	tryApply(manifests: Manifests, options?: ApplyOptions): Promise<KubectlResult>;
	/** The object, or undefined when it does not exist: `get("ServiceEntry", "shop", "payments")`. */
	get(kind: string, namespace: string | undefined, name: string): Promise<KubeObject | undefined>;
	/** Writes a kubeconfig for a user with a client certificate and returns its path. */
	kubeconfigFor(identity: Identity): Promise<string>;
	/** Writes a kubeconfig with a token of a service account (created when it is missing) and returns its path. */
	serviceAccountKubeconfig(namespace: string, name: string): Promise<string>;
	/** Issues a server certificate, signed by `connection.authority`, for a webhook on loopback. */
	issueServerCertificate(hosts?: readonly string[]): Promise<KeyPair>;
	/** The audit events of stage ResponseComplete so far, oldest first: webhooks' audit annotations are in them. */
	auditEvents(): Promise<readonly AuditEvent[]>;
	/** Closes the connections of this client; the control plane goes on. */
	close(): Promise<void>;
}

/** One line of the API server's audit log (audit.k8s.io/v1), as far as tests read it. */
export interface AuditEvent {
	readonly verb: string;
	readonly user: { readonly username: string };
	readonly objectRef?: { readonly resource: string; readonly namespace?: string; readonly name?: string };
	readonly responseStatus?: { readonly code: number; readonly message?: string };
	readonly annotations?: Readonly<Record<string, string>>;
	readonly [field: string]: unknown;
}

/** A control plane that this process started and may therefore break. */
export interface OwnControlPlane extends ControlPlane {
	/** Stops the API server (SIGTERM, or the given signal); it comes back on the same port. */
	stopApiServer(signal?: NodeJS.Signals): Promise<void>;
	startApiServer(): Promise<void>;
	/** Kills etcd (or sends the given signal: a graceful end waits 7 s for its clients). Its data stays. */
	stopEtcd(signal?: NodeJS.Signals): Promise<void>;
	/** Starts etcd again, and waits for the API server, if that runs, to notice. */
	startEtcd(): Promise<void>;
	/** Makes etcd forget its history. The API server serves watches from its cache: restart it to see 410 Gone. */
	compactEtcd(): Promise<void>;
	stopIstiod(signal?: NodeJS.Signals): Promise<void>;
	startIstiod(options?: IstiodOptions): Promise<void>;
	/** Stops istiod and starts it again, with other options when some are given. */
	restartIstiod(options?: IstiodOptions): Promise<void>;
	/** The processes, for tests that start more of them with the same fate: a webhook, say. */
	readonly processes: ProcessGroup;
	/** Stops everything and removes the folder. */
	stop(): Promise<void>;
}

/** Starts etcd, the API server and istiod on loopback, with all CRDs applied: about 8 s when the binaries are cached. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<OwnControlPlane> {
	const files = await findControlPlane();
	const processes = await createProcessGroup();
	try {
		return await start(files, processes, options);
	} catch (error) {
		await processes.stop();
		throw error;
	}
}

async function start(
	files: ControlPlaneFiles,
	processes: ProcessGroup,
	options: ControlPlaneOptions,
): Promise<OwnControlPlane> {
	const { folder } = processes;
	const ports = await choosePorts();
	const authority = await createAuthority("waymark-e2e");
	const administrator = await issueCertificate(authority, { name: "admin", groups: ["system:masters"] });
	const apiServerFiles = await writeApiServerFiles(folder, authority);
	const apiServerUrl = `https://127.0.0.1:${ports.apiServer}`;
	const connection: Connection = {
		folder,
		apiServerUrl,
		kubeconfig: join(folder, "kubeconfig"),
		authority,
		administrator,
		ports,
		files,
	};
	await writeKubeconfig(
		connection.kubeconfig,
		apiServerUrl,
		authority.certificate,
		clientCertificate(administrator),
	);
	const plane = connect(connection);
	const isApiServerReady = async (): Promise<boolean> =>
		(await plane.api.request("GET", "/readyz")).status === 200;

	let etcd: RunningProcess | undefined;
	let apiServer: RunningProcess | undefined;
	let istiod: RunningProcess | undefined;
	let istiodOptions = options.istiod === false ? {} : (options.istiod ?? {});

	const own: OwnControlPlane = {
		...plane,
		processes,
		async startEtcd() {
			etcd = await startEtcd(processes, files, ports);
			if (apiServer?.isRunning() === true) {
				await waitUntilReady(apiServer, isApiServerReady, 30_000);
			}
		},
		async stopEtcd(signal = "SIGKILL") {
			await etcd?.stop(signal);
		},
		compactEtcd: () => compactEtcd(ports),
		async startApiServer() {
			const flags = options.apiServerFlags ?? [];
			apiServer = await startApiServer(processes, files, ports, apiServerFiles, flags, isApiServerReady);
		},
		async stopApiServer(signal) {
			await apiServer?.stop(signal);
		},
		async startIstiod(changed) {
			istiodOptions = changed ?? istiodOptions;
			const objects = await renderIstiod(files, folder, istiodOptions);
			await plane.api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "istio-system" } });
			await Promise.all(objects.map((object) => plane.api.apply(object)));
			// Not the administrator: istiod's own rights are part of what is real.
			const kubeconfig = await plane.kubeconfigFor(serviceAccount("istio-system", "istiod"));
			istiod = await startIstiod(processes, files, ports, kubeconfig, istiodOptions);
		},
		async stopIstiod(signal) {
			await istiod?.stop(signal);
		},
		async restartIstiod(changed) {
			await own.stopIstiod();
			await own.startIstiod(changed);
		},
		async stop() {
			await plane.close();
			await processes.stop();
		},
	};
	await Promise.all([own.startEtcd(), own.startApiServer()]);
	await applyCrds(plane.api, files);
	if (options.istiod !== false) {
		await own.startIstiod();
	}
	return own;
}

/** Opens a client of a control plane that another process has started. */
export function connect(connection: Connection): ControlPlane {
	const { apiServerUrl, authority, administrator, files, folder, kubeconfig, ports } = connection;
	const place: KubectlPlace = { program: files.kubectl, kubeconfig, folder };
	const api = createApi({ url: apiServerUrl, ca: authority.certificate, ...administrator });
	const tryApply: ControlPlane["tryApply"] = (manifests, options = {}) =>
		runKubectl(place, ["apply", "--filename=-", ...applyFlags(options)], {
			stdin: manifests,
			...(options.as === undefined ? {} : { as: options.as }),
		});
	const kubeconfigFor = async (name: string, user: object): Promise<string> => {
		const path = join(folder, `kubeconfig-${name.replaceAll(/[^A-Za-z0-9-]/g, "-")}`);
		await writeKubeconfig(path, apiServerUrl, authority.certificate, user);
		return path;
	};
	return {
		connection,
		apiServerUrl,
		kubeconfig,
		api,
		istiod: createIstiodOracles(api, ports),
		kubectl: (args, options = {}) => runKubectl(place, args, options),
		tryApply,
		async apply(manifests, options) {
			const result = await tryApply(manifests, options);
			if (result.code !== 0) {
				throw new Error(`Cannot apply: kubectl ended with ${result.code}\n${result.stderr}`);
			}
			return result;
		},
		get: api.get,
		async kubeconfigFor(identity) {
			return kubeconfigFor(identity.name, clientCertificate(await issueCertificate(authority, identity)));
		},
		async serviceAccountKubeconfig(namespace, name) {
			await api.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace, name } });
			const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
			const answer = await api.request("POST", path, { body: { spec: { expirationSeconds: 7200 } } });
			const { token } = (answer.body as { status: { token: string } }).status;
			return kubeconfigFor(`${namespace}-${name}`, { token });
		},
		issueServerCertificate: (hosts = ["127.0.0.1", "localhost"]) =>
			issueCertificate(authority, { name: "webhook", hosts }),
		async auditEvents() {
			const lines = (await readFile(join(folder, "audit.log"), "utf8")).split("\n");
			return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as AuditEvent);
		},
		close: api.close,
	};
}

async function choosePorts(): Promise<Ports> {
	const [
		etcdClient = 0,
		etcdPeer = 0,
		apiServer = 0,
		istiodHttp = 0,
		istiodHttps = 0,
		istiodGrpc = 0,
		istiodSecureGrpc = 0,
		istiodMonitoring = 0,
	] = await freePorts(8);
	return {
		etcdClient,
		etcdPeer,
		apiServer,
		istiodHttp,
		istiodHttps,
		istiodGrpc,
		istiodSecureGrpc,
		istiodMonitoring,
	};
}

const auditPolicy = {
	apiVersion: "audit.k8s.io/v1",
	kind: "Policy",
	omitStages: ["RequestReceived", "ResponseStarted"],
	rules: [
		{ level: "None", users: ["system:apiserver"] },
		{ level: "None", resources: [{ group: "coordination.k8s.io" }, { group: "authentication.k8s.io" }] },
		{ level: "Metadata", verbs: ["create", "update", "patch", "delete"] },
	],
};

async function writeApiServerFiles(folder: string, authority: KeyPair): Promise<ApiServerFiles> {
	const serving = await issueCertificate(authority, {
		name: "kube-apiserver",
		hosts: ["127.0.0.1", "localhost", "10.96.0.1", "kubernetes.default.svc"],
	});
	const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const write = async (name: string, text: string): Promise<string> => {
		const path = join(folder, name);
		await writeFile(path, text, { mode: 0o600 });
		return path;
	};
	return {
		certificate: await write("api-server.crt", serving.certificate),
		key: await write("api-server.key", serving.key),
		clientCa: await write("ca.crt", authority.certificate),
		serviceAccountKey: await write(
			"service-account.key",
			privateKey.export({ type: "sec1", format: "pem" }).toString(),
		),
		auditPolicy: await write("audit-policy.json", JSON.stringify(auditPolicy)),
		auditLog: join(folder, "audit.log"),
	};
}
