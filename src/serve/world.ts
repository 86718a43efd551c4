import type { Logger } from "pino";
import type { Inventory } from "../core/inventory.ts";
import type { Kind } from "../core/kinds.ts";
import type { Settings } from "../core/settings.ts";
import { defaultSettings } from "../core/settings.ts";
import type { Connection } from "../kube/client/connection.ts";
import type { Credentials } from "../kube/client/credentials.ts";
import type { Change } from "../kube/watch/feed.ts";
import type { FeedStatus } from "../kube/watch/feed-status.ts";
import { watchClock } from "../server/clock-metrics.ts";
import { createFeedMetrics } from "../server/feed-metrics.ts";
import type { Confirm, StaleKinds } from "../server/judgement.ts";
import { heapLimit } from "../server/memory-metrics.ts";
import type { Metrics } from "../server/metrics.ts";
import type { Check } from "../server/probes.ts";
import { followedKinds } from "./followed-kinds.ts";
import type { ServeOptions } from "./options.ts";

/** A world that the webhook judges by, whatever feeds it. */
export interface ServedWorld {
	readonly inventory: Inventory;
	/** Settles when the world is whole; nothing is judged before. */
	readonly synced: Promise<void>;
	readonly confirm?: Confirm;
	/** The kinds without a watch; undefined while all have one. */
	readonly stale?: () => StaleKinds | undefined;
	/** The API server, where there is one. */
	readonly connection?: Connection;
	/** Tells of every change of the world, of which further kinds become a part, until it is stopped. */
	followAll?(
		further: readonly Kind[],
		listener: (change: Change) => void,
	): { readonly synced: Promise<void>; stop(): Promise<void> };
	/** Tells, for good, when what is known of the mesh is another than before: all judgements rest on that. */
	whenLearned?(listener: () => void): void;
	checks(): readonly Check[];
	configure(settings: Settings): void;
	stop(): Promise<void>;
}

/** A world that cannot be had; the message says why. */
export class WorldError extends Error {
	constructor(message: string) {
		super(message);
		this.name = "WorldError";
	}
}

/** A world of the YAML files below a directory; `configure` it before use. */
export async function serveDirectory(directory: string, log: Logger): Promise<ServedWorld> {
	const { followDirectory } = await import("../manifests/follow-directory.ts");
	const world = await followDirectory(directory, (status) => {
		for (const problem of status.problems) {
			log.error({ problem }, "world not read, the last good one is kept");
		}
		if (status.problems.length === 0) {
			log.info({ objects: status.objects }, "world read");
		}
	});
	const { problems } = world.status();
	if (problems.length > 0) {
		await world.stop();
		throw new WorldError(
			`Cannot read the world below ${directory}:\n${problems.map((each) => `  ${each}`).join("\n")}`,
		);
	}
	return {
		inventory: world.state,
		synced: Promise.resolve(),
		checks: () => {
			const { objects, problems: now } = world.status();
			return now.length === 0
				? [{ name: "world", ok: true, detail: `${objects} objects` }]
				: [
						{
							name: "world",
							ok: false,
							advisory: true,
							detail: `the last good one is in use: ${now.join("; ")}`,
						},
					];
		},
		configure: (next) => world.state.configure(next),
		stop: () => world.stop(),
	};
}

function freshnessOf({ synced, fresh, staleMs }: FeedStatus): string {
	if (!synced) {
		return "waiting: not every kind was listed yet";
	}
	return fresh ? "fresh" : `stale for ${Math.round(staleMs / 1000)} s`;
}

/** Objects that are kept in part, so that rules about others may miss something of them. */
function partsCheck(kinds: ReadonlyMap<string, { readonly cut: number }>): readonly Check[] {
	const cut = [...kinds].filter(([, each]) => each.cut > 0).map(([kind, each]) => `${each.cut} of ${kind}`);
	return cut.length === 0
		? []
		: [{ name: "large objects", ok: false, advisory: true, detail: `kept in part: ${cut.join(", ")}` }];
}

/** The world of the API server that a kubeconfig names, or of the one around this pod; `configure` it before use. */
export async function serveCluster(
	options: Pick<ServeOptions, "kubeconfig" | "apiServer" | "variables">,
	metrics: Metrics,
	log: Logger,
): Promise<ServedWorld> {
	const { followCluster } = await import("../kube/watch/cluster.ts");
	const listeners = new Set<(change: Change) => void>();
	let learned = (): void => {};
	const world = followCluster({
		credentials: await credentialsOf(options),
		kinds: followedKinds,
		onChange(change) {
			for (const listener of listeners) {
				listener(change);
			}
		},
		onLearned: () => learned(),
		settings: defaultSettings,
		log,
		// What serves takes 30 MB, and garbage that waits to be collected as much again.
		budgetBytes: heapLimit(options.variables.NODE_OPTIONS) * 0.45,
		onEvent: (kind, lagMs) => feedMetrics.lag.observe({ kind }, lagMs / 1000),
		onRestart: (kind, reason) => feedMetrics.restarts.inc({ kind, reason }),
	});
	const feedMetrics = createFeedMetrics(
		metrics.registry,
		() => world.status().kinds,
		() => world.status().staleMs,
	);
	const clock = watchClock(metrics.registry, log, world.connection.clock.skewMs);
	return {
		inventory: world.state,
		synced: world.synced,
		connection: world.connection,
		followAll(further, listener) {
			listeners.add(listener);
			const more = world.followMore(further, listener);
			return {
				synced: more.synced,
				stop() {
					listeners.delete(listener);
					return more.stop();
				},
			};
		},
		whenLearned(listener) {
			learned = listener;
		},
		confirm: (objects, deadlineMs) => world.confirm(objects, deadlineMs),
		stale: () => world.stale(),
		checks: () => {
			const status = world.status();
			const mesh = world.meshProblem();
			return [
				{
					name: "world",
					ok: status.ready,
					detail: freshnessOf(status),
				},
				...[...status.kinds].map(([kind, each]) => ({
					name: `kind ${kind}`,
					ok: each.synced,
					detail: each.problem ?? `${each.objects} objects`,
				})),
				...partsCheck(status.kinds),
				...clock.checks(),
				mesh === undefined
					? { name: "mesh facts", ok: true, detail: "read" }
					: { name: "mesh facts", ok: false, advisory: true as const, detail: mesh },
			];
		},
		configure: (next) => world.configure(next),
		stop() {
			clock.stop();
			return world.stop();
		},
	};
}

async function credentialsOf(
	options: Pick<ServeOptions, "kubeconfig" | "apiServer" | "variables">,
): Promise<Credentials> {
	const { kubeconfig, apiServer, variables } = options;
	const { inClusterCredentials, kubeconfigCredentials } = await import("../kube/client/credentials.ts");
	if (kubeconfig !== undefined) {
		return kubeconfigCredentials(kubeconfig, undefined, variables);
	}
	const { host, port } = apiServer;
	if (host === undefined || port === undefined) {
		throw new WorldError(
			"Cannot find a cluster: this is no pod (KUBERNETES_SERVICE_HOST is not set); give --kubeconfig FILE or --world DIR",
		);
	}
	return inClusterCredentials({ host, port });
}
