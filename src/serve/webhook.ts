import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { watchClientAuthority } from "../certificates/client-authority.ts";
import type { CertificateSource } from "../certificates/source.ts";
import { createEngine } from "../core/engine.ts";
import { rules } from "../rules/table.ts";
import { createWebhook } from "../server/app.ts";
import type { Drain, DrainTimes } from "../server/drain.ts";
import { installDrain } from "../server/drain.ts";
import type { Metrics } from "../server/metrics.ts";
import type { Overload } from "../server/overload.ts";
import { installOverload } from "../server/overload.ts";
import { createServingMetrics } from "../server/serving-metrics.ts";
import type { TlsDemands } from "../server/tls.ts";
import { applyCertificates, installClientNames, tlsContext } from "../server/tls.ts";
import type { ClientDemands } from "./options.ts";
import { warmUp } from "./warm-up.ts";
import type { ServedWorld } from "./world.ts";

/** What the webhook is made of. */
export interface ServedWebhookOptions {
	readonly world: ServedWorld;
	readonly source: CertificateSource;
	readonly demands: ClientDemands;
	readonly drainTimes: DrainTimes;
	readonly metrics: Metrics;
	readonly log: Logger;
}

/** The webhook with all that keeps it safe to call: certificates, client check, overload protection, drain. */
export interface ServedWebhook {
	readonly app: FastifyInstance;
	readonly server: { readonly listening: boolean };
	readonly drain: Drain;
	stop(): Promise<void>;
}

/** A request that has brought nothing for so long stopped coming, in milliseconds: an API server sends it at once. */
const stalledMs = 1_000;

/** Makes the webhook, which does not listen yet. */
export async function openWebhook(options: ServedWebhookOptions): Promise<ServedWebhook> {
	const { world, source, demands, metrics, log } = options;
	const { minVersion, clientCaFile, clientNames } = demands;
	const clientAuthority =
		clientCaFile === undefined
			? undefined
			: await watchClientAuthority(clientCaFile, {
					onFault(problem) {
						if (problem === null) {
							log.info("client CA usable again");
						} else {
							log.error({ problem }, "client CA not usable, the last good one is kept");
						}
					},
				});
	const tlsDemands = (): TlsDemands => ({
		minVersion,
		...(clientAuthority === undefined ? {} : { clientCa: clientAuthority.current() }),
	});
	const engine = createEngine(rules);
	warmUp(engine);
	const hooks: { drain?: Drain; overload?: Overload } = {};
	const { app, server, connections, handshakes, bodies, turns } = createWebhook({
		engine,
		inventory: world.inventory,
		metrics,
		log,
		tls: tlsContext(source.current(), tlsDemands()),
		...(world.confirm === undefined ? {} : { confirm: world.confirm }),
		...(world.stale === undefined ? {} : { stale: world.stale }),
		before: (instance, connections) => {
			hooks.drain = installDrain(instance, options.drainTimes);
			// Whoever begins requests and sends nothing more must not take the places of those who do.
			const relieve = (): boolean => connections.cutIdlestStalled(stalledMs);
			hooks.overload = installOverload(instance, hooks.drain, {}, relieve);
			installClientNames(instance, clientCaFile === undefined ? [] : clientNames);
		},
	});
	const { drain, overload } = hooks;
	if (drain === undefined || overload === undefined) {
		throw new Error("Cannot serve: the hooks were not installed");
	}
	const applied = applyCertificates(server, source, tlsDemands(), (error) =>
		log.error({ err: error }, "certificate not applied, the last good one is kept"),
	);
	clientAuthority?.onChange(() => {
		try {
			applied.demand(tlsDemands());
			log.info("client CA applied");
		} catch (error) {
			log.error({ err: error }, "client CA not applied, the last good one is kept");
		}
	});
	createServingMetrics(metrics.registry, {
		drain,
		overload,
		connections,
		handshakes,
		bodies,
		turns,
		certificates: applied,
	});
	return {
		app,
		server,
		drain,
		async stop() {
			await clientAuthority?.stop();
			overload.stop();
			applied.stop();
		},
	};
}
