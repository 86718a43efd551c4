import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { fastify } from "fastify";
import { pino } from "pino";
import type { ApiServer } from "../../src/kube/client/api-writes.ts";
import type { Bootstrap } from "../../src/kube/install/fail-closed.ts";
import { startBootstrap } from "../../src/kube/install/fail-closed.ts";
import type { OwnCertificates, OwnCertificateTimes } from "../../src/kube/install/own-certificates.ts";
import { keepOwnCertificates } from "../../src/kube/install/own-certificates.ts";
import { installCanary } from "../../src/server/canary.ts";
import type { Drain } from "../../src/server/drain.ts";
import { installDrain } from "../../src/server/drain.ts";
import { installOverload } from "../../src/server/overload.ts";
import { applyCertificates, tlsContext } from "../../src/server/tls.ts";
import type { Backend } from "../support/balancer.ts";

/** Waymark's own namespace, and the name of its Secret and of both its webhook configurations. */
export const home = { namespace: "waymark-system", name: "waymark", secret: "waymark-certificates" } as const;

/** The label of objects that `/validate` of a replica denies. */
export const refusedLabel = "e2e.waymark.dev/refused";

/** Part of the message of such a denial. */
export const refusal = "refused for the test";

/** How a replica is started. */
export interface ReplicaOptions {
	readonly api: ApiServer;
	readonly times: Partial<OwnCertificateTimes>;
	/** `false` ends every connection with its answer. */
	readonly keepAlive: boolean;
	/** The replicas that a bootstrap must find in order; without it, none is tried. */
	readonly peers?: () => readonly Replica[];
	/** Ends the waiting for a first certificate. */
	readonly signal?: AbortSignal;
}

/** One replica in this process: certificates, bootstrap, drain and a webhook that denies by label. */
export interface Replica extends Backend {
	readonly certificates: OwnCertificates;
	readonly bootstrap: Bootstrap | null;
	readonly drain: Drain;
	isReady(): boolean;
	/** How many reviews `/validate` has answered. */
	answered(): number;
	stop(): Promise<void>;
}

/** Starts a replica on a free port of the loopback. */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
	const log = pino({ level: "silent" });
	const certificates = await keepOwnCertificates({
		api: options.api,
		namespace: home.namespace,
		secretName: home.secret,
		names: ["127.0.0.1", "waymark.waymark-system.svc"],
		configurations: [
			{ kind: "ValidatingWebhookConfiguration", name: home.name },
			{ kind: "MutatingWebhookConfiguration", name: home.name },
		],
		log,
		times: { firstBackoffMs: 50, ...options.times },
		...(options.signal === undefined ? {} : { signal: options.signal }),
	});
	const secure = fastify({
		https: tlsContext(certificates.current()),
		keepAliveTimeout: 120_000,
		return503OnClosing: false,
		bodyLimit: 7 * 1024 * 1024,
		...(options.keepAlive ? {} : { maxRequestsPerSocket: 1 }),
	});
	const app = secure as unknown as FastifyInstance;
	const drain = installDrain(app, { quietMs: 400, deadlineMs: 10_000, refuseMs: 1000, finishMs: 2000 });
	const overload = installOverload(app, drain);
	let answered = 0;
	for (const path of ["/validate", "/mutate"]) {
		app.post<{ Body: Review }>(path, (request) => {
			answered += path === "/validate" ? 1 : 0;
			return judge(request.body, path);
		});
	}
	installCanary(app);
	await secure.listen({ host: "127.0.0.1", port: 0 });
	const applied = applyCertificates(secure.server, certificates);
	const { port } = secure.server.address() as AddressInfo;
	const isReady = (): boolean => drain.state() === "serving" && certificates.status().fault === null;
	const { peers } = options;
	const bootstrap =
		peers === undefined
			? null
			: startBootstrap({
					api: options.api,
					namespace: home.namespace,
					configuration: home.name,
					name: "127.0.0.1",
					served: () => certificates.current().cert,
					isReady,
					replicas: async () => peers().map((peer) => ({ host: "127.0.0.1", port: peer.port })),
					log,
					times: { tryMs: 200, lookMs: 2000 },
				});
	return {
		host: "127.0.0.1",
		port,
		certificates,
		bootstrap,
		drain,
		isReady,
		answered: () => answered,
		async stop() {
			await bootstrap?.stop();
			await drain.begin();
			overload.stop();
			applied.stop();
			await certificates.stop();
		},
	};
}

interface Review {
	readonly request: {
		readonly uid: string;
		readonly object?: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };
	};
}

function judge({ request }: Review, path: string): object {
	const isRefused = path === "/validate" && request.object?.metadata?.labels?.[refusedLabel] !== undefined;
	const response = isRefused
		? { uid: request.uid, allowed: false, status: { code: 403, message: refusal } }
		: { uid: request.uid, allowed: true };
	return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response };
}
