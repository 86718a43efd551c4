import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Backend, Balancer } from "../support/balancer.ts";
import { isReadyAt, startBalancer } from "../support/balancer.ts";
import type { KubeObject } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";
import { render } from "./installation.ts";
import type { ProcessGroup, RunningProcess } from "./processes.ts";
import { freePorts, logTail, waitUntilReady } from "./processes.ts";
import { createNamespace } from "./world.ts";

const root = join(import.meta.dirname, "../..");

/** Waymark's own namespace, and the name of its chart's objects. */
export const installed = { namespace: "waymark-system", name: "waymark", secret: "waymark-ca" } as const;

/** How replicas are run. */
export interface ServeReplicasOptions {
	/** 3 unless told. */
	readonly count?: number;
	/** `self`, which fails closed by itself, or a folder of certificate files; `self` unless told. */
	readonly certificates?: string;
	/** Further environment variables. */
	readonly env?: Readonly<Record<string, string>>;
	/** Further arguments of `serve`. */
	readonly args?: readonly string[];
	/** Further values of the chart: `config.limits.deniedHosts={*.example}`. */
	readonly values?: readonly string[];
	/** Changes the chart's objects before they are applied. */
	readonly adjust?: (object: KubeObject) => KubeObject;
}

/** One replica: a process that may be stopped and started, always on the same ports. */
export interface ServeReplica extends Backend {
	readonly operations: string;
	process(): RunningProcess;
	/** Starts it, with further environment variables this time, and waits until it is ready unless told otherwise. */
	start(options?: {
		readonly env?: Readonly<Record<string, string>>;
		readonly untilReady?: boolean;
	}): Promise<void>;
	/** SIGTERM and its drain, or another signal; gives how it ended: "code 0". */
	stop(signal?: NodeJS.Signals): Promise<string>;
	/** The end of its log. */
	log(): string;
}

/** Replicas of `waymark serve` as the chart installs them, behind a balancer that plays their Service. */
export interface ServeReplicas {
	readonly replicas: readonly ServeReplica[];
	readonly balancer: Balancer;
	readonly url: string;
	/** The CA bundle that the API server verifies them by. */
	bundle(): Promise<string>;
	stop(): Promise<void>;
}

/** Whether a kind is one of the backstop's: a policy, its binding, or the definition of the table. */
function isBackstop(kind: string): boolean {
	return /AdmissionPolicy(Binding)?$|^CustomResourceDefinition$/.test(kind);
}

const webhookKinds: readonly string[] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/**
 * Applies the chart's RBAC and webhook configurations, which call the balancer by URL, and starts the replicas as its
 * ServiceAccount; all of them are ready, and with `self` the webhooks fail closed, when it returns.
 */
export async function startServeReplicas(
	plane: ControlPlane,
	group: ProcessGroup,
	options: ServeReplicasOptions = {},
): Promise<ServeReplicas> {
	const { count = 3, certificates = "self", adjust = (object) => object, env = {} } = options;
	const ports = await freePorts(count * 2);
	const listen = ports.slice(0, count).map((port) => `127.0.0.1:${port}`);
	await using stack = new AsyncDisposableStack();
	const replicas: ServeReplica[] = [];
	const balancer = await startBalancer({ backends: () => replicas });
	stack.defer(() => balancer.stop());
	const url = `https://127.0.0.1:${balancer.port}`;
	await createNamespace(plane, installed.namespace);
	const values = [...(options.values ?? []), `webhooks.url=${url}`].map((value) => `--set=${value}`);
	const objects = await render(plane, `--namespace=${installed.namespace}`, ...values);
	// A replica outside the cluster needs its rights and the webhooks, and no Deployment.
	const needed = objects.filter(
		({ apiVersion, kind }) =>
			apiVersion.startsWith("rbac.") || webhookKinds.includes(kind) || isBackstop(kind),
	);
	const first = needed.filter(({ kind }) => !isBackstop(kind)).map(adjust);
	// Whatever is left behind would belong to this field manager, and refuse the next release of the chart.
	stack.defer(() => remove(plane, first));
	await Promise.all(first.map((object) => plane.api.apply(object)));
	// In the order of the chart: a policy that names a table cannot be written before there is one.
	for (const object of needed.filter(({ kind }) => isBackstop(kind))) {
		await plane.api.apply(adjust(object));
		stack.defer(() => plane.api.delete(object.kind, undefined, object.metadata.name ?? ""));
	}
	const isIgnored = values.some((value) => value.includes("backstop.mode=full"));
	const kubeconfig = await plane.serviceAccountKubeconfig(installed.namespace, installed.name);
	for (const [index, address] of listen.entries()) {
		replicas.push(
			createReplica(group, `waymark-${index}`, {
				port: ports[index] ?? 0,
				operationsPort: ports[count + index] ?? 0,
				env,
				args: [
					`--kubeconfig=${kubeconfig}`,
					`--listen=${address}`,
					`--certificates=${certificates}`,
					...(certificates === "self" && !isIgnored ? ["--bootstrap"] : []),
					...(options.args ?? []),
					`--namespace=${installed.namespace}`,
					`--secret=${installed.secret}`,
					`--webhooks=${installed.name}`,
					"--name=127.0.0.1",
					`--replicas=${listen.join(",")}`,
				],
			}),
		);
	}
	stack.defer(async () => {
		await Promise.all(replicas.map((replica) => replica.stop("SIGKILL")));
	});
	await Promise.all(replicas.map((replica) => replica.start()));
	if (certificates === "self" && !isIgnored) {
		await untilStrict(plane, replicas);
	}
	const owned = stack.move();
	return {
		replicas,
		balancer,
		url,
		async bundle() {
			const [webhook] = await webhooksOf(plane);
			return Buffer.from(webhook?.clientConfig.caBundle ?? "", "base64").toString();
		},
		stop: () => owned.disposeAsync(),
	};
}

function createReplica(
	group: ProcessGroup,
	name: string,
	place: {
		readonly port: number;
		readonly operationsPort: number;
		readonly env: Readonly<Record<string, string>>;
		readonly args: readonly string[];
	},
): ServeReplica {
	const operations = `http://127.0.0.1:${place.operationsPort}`;
	let running: RunningProcess | undefined;
	const current = (): RunningProcess => {
		if (running === undefined) {
			throw new Error(`Cannot use ${name}: it was not started`);
		}
		return running;
	};
	return {
		host: "127.0.0.1",
		port: place.port,
		operations,
		process: current,
		isReady: () => running?.isRunning() === true && isReadyAt(operations),
		async start({ env = {}, untilReady = true } = {}) {
			const cwd = join(group.folder, name);
			await mkdir(cwd, { recursive: true });
			running = group.start({
				name,
				command: process.execPath,
				args: [
					join(root, "src/main.ts"),
					"serve",
					...place.args,
					`--operations=127.0.0.1:${place.operationsPort}`,
				],
				cwd,
				env: { PATH: process.env.PATH, ...place.env, ...env },
			});
			if (untilReady) {
				await waitUntilReady(running, () => isReadyAt(operations), 60_000);
			}
		},
		async stop(signal) {
			// The grace of the chart's pods.
			await running?.stop(signal, 45_000);
			return running === undefined ? "not started" : running.ended;
		},
		log: () => (running === undefined ? "" : logTail(running)),
	};
}

/** A sample without labels of a replica's `/metrics`; NaN when there is none. */
export async function metric(replica: ServeReplica, name: string): Promise<number> {
	const text = await (await fetch(`${replica.operations}/metrics`)).text();
	const line = text.split("\n").find((each) => each.startsWith(`${name} `));
	return Number(line?.slice(name.length + 1));
}

interface StoredWebhook {
	readonly name: string;
	readonly failurePolicy: string;
	readonly clientConfig: { readonly caBundle?: string };
}

async function webhooksOf(plane: ControlPlane): Promise<readonly StoredWebhook[]> {
	const found = await plane.get("ValidatingWebhookConfiguration", undefined, installed.name);
	return (found?.webhooks ?? []) as readonly StoredWebhook[];
}

async function untilStrict(plane: ControlPlane, replicas: readonly ServeReplica[]): Promise<void> {
	for (const deadline = Date.now() + 60_000; ; await sleep(100)) {
		const webhook = (await webhooksOf(plane)).find(({ name }) => name === "validate.waymark.dev");
		if (webhook?.failurePolicy === "Fail") {
			return;
		}
		if (Date.now() > deadline) {
			const logs = replicas.map((replica) => replica.log()).join("\n");
			throw new Error(`Cannot use the webhooks: they do not fail closed after 60 s\n${logs}`);
		}
	}
}

async function remove(plane: ControlPlane, objects: readonly KubeObject[]): Promise<void> {
	await Promise.all(
		objects.map(({ kind, metadata }) => plane.api.delete(kind, metadata.namespace, metadata.name ?? "")),
	);
}
