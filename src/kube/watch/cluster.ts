import { isDeepStrictEqual } from "node:util";
import { ClusterState } from "../../core/cluster-state.ts";
import type { Kind } from "../../core/kinds.ts";
import type { MeshFacts } from "../../core/mesh.ts";
import type { Settings } from "../../core/settings.ts";
import type { Connection } from "../client/connection.ts";
import { connect } from "../client/connection.ts";
import type { Credentials } from "../client/credentials.ts";
import type { Log } from "../client/log.ts";
import type { RestartReason } from "./backoff.ts";
import { createConfirmer } from "./confirm.ts";
import type { Change } from "./feed.ts";
import { startFeed } from "./feed.ts";
import type { FeedStatus, StaleKinds } from "./feed-status.ts";
import { compactMemory, keepYoungGenerationSmall } from "./memory.ts";
import { followMesh } from "./mesh.ts";

/** What following a cluster needs. */
export interface ClusterOptions {
	readonly credentials: Credentials;
	readonly kinds: readonly Kind[];
	readonly settings: Settings;
	readonly log: Log;
	/** Bytes of objects above which only light ones are kept whole. */
	readonly budgetBytes: number;
	readonly onEvent?: (kind: Kind, lagMs: number) => void;
	readonly onRestart?: (kind: Kind, reason: RestartReason) => void;
	readonly onChange?: (change: Change) => void;
	/** Told when what is known of the mesh is another than before; must not throw. */
	readonly onLearned?: () => void;
}

/** A world that follows an API server. */
export interface Cluster {
	readonly state: ClusterState;
	readonly connection: Connection;
	/** Settles when every kind was listed once and the mesh's facts were asked for. */
	readonly synced: Promise<void>;
	status(): FeedStatus;
	/** Why the mesh's facts could not be read; undefined when they were. */
	meshProblem(): string | undefined;
	/** Takes new cluster settings; what they say of the mesh goes before what the cluster says. */
	configure(settings: Settings): void;
	/** The kinds without a watch; undefined when all have one. */
	stale(): StaleKinds | undefined;
	/** Reads objects directly and corrects the world by the answers. */
	confirm(
		objects: readonly { readonly kind: Kind; readonly namespace: string; readonly name: string }[],
		deadlineMs: number,
	): Promise<{ readonly found: boolean; readonly unconfirmed: boolean }>;
	/**
	 * Follows further kinds, on which no readiness depends; when that is stopped, their objects leave the world. Kinds that
	 * are followed in any case stay as they are. Whoever asks has much to work out, and gives back the memory of the first
	 * list together with what that takes (`compactMemory`).
	 */
	followMore(
		kinds: readonly Kind[],
		onChange: (change: Change) => void,
	): { readonly synced: Promise<void>; stop(): Promise<void> };
	stop(): Promise<void>;
}

/** Most objects that are asked for on behalf of one request. */
const mostReads = 8;

/** Long enough for the first answers to be given before the pause that it costs. */
const compactAfterMs = 2000;

/** Begins to follow the cluster of these credentials. */
export function followCluster(options: ClusterOptions): Cluster {
	const { log } = options;
	const letGrow = keepYoungGenerationSmall();
	const state = new ClusterState(options.settings);
	const connection = connect(options.credentials);
	const feed = startFeed({
		connection,
		kinds: options.kinds,
		sink: state,
		log,
		budgetBytes: options.budgetBytes,
		...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
		...(options.onChange === undefined ? {} : { onChange: options.onChange }),
		...(options.onRestart === undefined ? {} : { onRestart: options.onRestart }),
	});
	const learn = (facts: Partial<MeshFacts>): void => {
		const before = state.mesh;
		state.learn(facts);
		if (!isDeepStrictEqual(before, state.mesh)) {
			options.onLearned?.();
		}
	};
	const mesh = followMesh({ connection, log, learn });
	const confirmer = createConfirmer({ connection, feed });
	let compaction: NodeJS.Timeout | undefined;
	let isWorking = false;
	const synced = Promise.all([feed.synced, mesh.first]).then(() => {
		letGrow();
		if (!isWorking) {
			compaction = setTimeout(compactMemory, compactAfterMs);
			compaction.unref();
		}
	});
	return {
		state,
		connection,
		synced,
		status: () => feed.status(),
		meshProblem: () => mesh.problem(),
		configure: (settings) => state.configure(settings),
		stale: () => feed.stale(),
		async confirm(objects, deadlineMs) {
			const signal = AbortSignal.timeout(deadlineMs);
			const answers = await Promise.all(
				objects
					.slice(0, mostReads)
					.map(({ kind, namespace, name }) => confirmer.confirm(kind, namespace, name, signal)),
			);
			return {
				found: answers.some((answer) => answer.status === "present"),
				unconfirmed: objects.length > mostReads || answers.some((answer) => answer.status === "unconfirmed"),
			};
		},
		followMore(asked, onChange) {
			// It would take what is compiled, too, from work that has just begun.
			isWorking = true;
			clearTimeout(compaction);
			// What is followed in any case must not leave the world with whoever else asked for it.
			const kinds = asked.filter((kind) => !options.kinds.includes(kind));
			if (kinds.length === 0) {
				return { synced: feed.synced, stop: async () => {} };
			}
			const more = startFeed({ connection, kinds, sink: state, log, onChange });
			return {
				synced: more.synced,
				async stop() {
					await more.stop();
					for (const kind of kinds) {
						state.replace(kind, []);
					}
				},
			};
		},
		async stop() {
			clearTimeout(compaction);
			await mesh.stop();
			await feed.stop();
			await connection.stop();
		},
	};
}
