import type { AnyObject, Kind, Resources } from "../../core/kinds.ts";
import { kinds } from "../../core/kinds.ts";
import type { Connection } from "../client/connection.ts";
import type { Log } from "../client/log.ts";
import type { RestartReason } from "./backoff.ts";
import { watchCrds } from "./crd-watch.ts";
import type { EventPace } from "./event-pace.ts";
import { createEventPace } from "./event-pace.ts";
import type { FeedStatus, StaleKinds, Staleness } from "./feed-status.ts";
import { defaultStaleness } from "./feed-status.ts";
import type { Changes } from "./kind-store.ts";
import { KindStore } from "./kind-store.ts";
import { isCut, keepBounded, keepWhole, keptBytes, metadataOnlyKinds, projectionOf } from "./projection.ts";
import type { ReflectorLimits, ReflectorStatus } from "./reflector.ts";
import { Reflector } from "./reflector.ts";
import { watchServerReturn } from "./server-return.ts";
import { createSharedValues } from "./shared-values.ts";
import { createStalenessMonitor } from "./staleness.ts";

/** Where the objects go; `ClusterState` is one. */
export interface Sink {
	/** Makes the objects of a kind exactly these, in one step as seen by a reader. */
	replace<K extends Kind>(kind: K, objects: Iterable<Resources[K]>): void;
	set<K extends Kind>(kind: K, object: Resources[K]): void;
	delete(kind: Kind, namespace: string, name: string): void;
}

/** What changed: one object, or, without a name, any number of objects of the kind. */
export interface Change {
	readonly kind: Kind;
	readonly namespace?: string;
	readonly name?: string;
	/** The object as it was and as it is, where there was and is one. */
	readonly before?: AnyObject | undefined;
	readonly after?: AnyObject | undefined;
}

/** A list that brings more changes than this is told as one change of the kind. */
const mostTold = 1000;

export interface FeedOptions {
	readonly connection: Connection;
	/** The kinds to follow: the union of what rules read. */
	readonly kinds: readonly Kind[];
	readonly sink: Sink;
	readonly log: Log;
	readonly limits?: Partial<ReflectorLimits>;
	/** Bytes of objects above which only light ones are kept whole; absent for who judges them once: all are whole. */
	readonly budgetBytes?: number;
	readonly staleness?: Partial<Staleness>;
	/** Monotonic milliseconds. */
	readonly now?: () => number;
	/** Told after the world has changed; must not throw. */
	readonly onChange?: (change: Change) => void;
	/** Told of every event, and how many milliseconds after its bytes arrived the world had it; must not throw. */
	readonly onEvent?: (kind: Kind, lagMs: number) => void;
	/** Told whenever the watch of a kind has to be opened again, and why; must not throw. */
	readonly onRestart?: (kind: Kind, reason: RestartReason) => void;
}

/** The live feed of a world: one reflector per kind. */
export interface Feed {
	/** Settles when every kind was listed once. */
	readonly synced: Promise<void>;
	status(): FeedStatus;
	/** The version in which the API server serves a kind; undefined when it does not. */
	version(kind: Kind): string | undefined;
	/** Takes an object that was read directly, unless the watch is already past it. */
	offer(kind: Kind, raw: unknown): boolean;
	/** Removes an object that the API server was read not to have; only while the kind has no watch. */
	discard(kind: Kind, namespace: string, name: string): void;
	/** The kinds without a watch; undefined when all have one. */
	stale(): StaleKinds | undefined;
	/** Ends every watch; the world stays as it is. */
	stop(): Promise<void>;
}

/** Begins to follow the kinds; nothing is judged by the world before `synced`. */
export function startFeed(options: FeedOptions): Feed {
	const now = options.now ?? (() => performance.now());
	const { budgetBytes } = options;
	const usedBytes = (): number => {
		let bytes = 0;
		for (const store of stores.values()) {
			bytes += store.bytes;
		}
		return bytes;
	};
	const keeping =
		budgetBytes === undefined ? keepWhole(createSharedValues()) : keepBounded(budgetBytes, usedBytes);
	const stores = new Map<Kind, KindStore>();
	const reflectors = new Map<Kind, Reflector>();
	const pace = createEventPace(now);
	const serverReturn = watchServerReturn(options.connection, () => {
		for (const reflector of reflectors.values()) {
			if (!reflector.status().following) {
				reflector.wake();
			}
		}
	});
	const onRestart = (kind: Kind, reason: RestartReason): void => {
		serverReturn.suspect(reason);
		options.onRestart?.(kind, reason);
	};
	for (const kind of options.kinds) {
		const project = projectionOf(kind, keeping);
		const version = (): string => reflectors.get(kind)?.version ?? "";
		const store = new KindStore((raw) => project(raw, version()), changesOf(kind, options), {
			keptBytes,
			isCut,
		});
		stores.set(kind, store);
		reflectors.set(kind, startReflector(kind, store, now, pace, { ...options, onRestart }));
	}
	const crds = watchCrds(options.connection, reflectors, {
		now,
		...(options.limits === undefined ? {} : { limits: options.limits }),
	});
	const status = (): ReadonlyMap<Kind, ReflectorStatus> =>
		new Map([...reflectors].map(([kind, reflector]) => [kind, reflector.status()]));
	const staleness = createStalenessMonitor({
		status,
		now,
		log: options.log,
		staleness: { ...defaultStaleness, ...options.staleness },
	});
	const synced = Promise.all([...reflectors.values()].map((reflector) => reflector.synced)).then(() => {});
	return {
		synced,
		status: () => staleness.check(),
		version: (kind) => reflectors.get(kind)?.version,
		offer: (kind, raw) => stores.get(kind)?.offer(raw) ?? false,
		discard(kind, namespace, name) {
			if (reflectors.get(kind)?.status().following === false) {
				stores.get(kind)?.discard(namespace, name);
			}
		},
		stale: () => staleness.stale(),
		async stop() {
			staleness.stop();
			await Promise.all([
				serverReturn.stop(),
				crds.stop(),
				...[...reflectors.values()].map((reflector) => reflector.stop()),
			]);
		},
	};
}

function startReflector(
	kind: Kind,
	store: KindStore,
	now: () => number,
	pace: EventPace,
	options: FeedOptions,
): Reflector {
	const { group, plural, versions } = kinds[kind];
	const reflector = new Reflector({
		connection: options.connection,
		resource: { group, plural, versions },
		store,
		metadataOnly: metadataOnlyKinds.has(kind),
		now,
		pace,
		...(options.limits === undefined ? {} : { limits: options.limits }),
		observer: {
			ended: (reason) => options.onRestart?.(kind, reason),
			event: (lagMs) => options.onEvent?.(kind, lagMs),
		},
	});
	reflector.start();
	return reflector;
}

/** Hands the changes of one kind to the world; the projection has seen to it that they are objects of that kind. */
function changesOf<K extends Kind>(kind: K, { sink, onChange }: FeedOptions): Changes {
	const tell = (before: AnyObject | undefined, after: AnyObject | undefined): void => {
		const { namespace, name } = (after ?? before)?.metadata ?? {};
		onChange?.({ kind, namespace: namespace ?? "", name: name ?? "", before, after });
	};
	return {
		replace(objects, differences) {
			sink.replace(kind, objects as Iterable<Resources[K]>);
			if (onChange === undefined) {
				return;
			}
			const told = [...differences];
			if (told.length > mostTold) {
				onChange({ kind });
				return;
			}
			for (const { before, after } of told) {
				tell(before, after);
			}
		},
		set(object, before) {
			sink.set(kind, object as Resources[K]);
			tell(before, object);
		},
		delete(namespace, name, before) {
			sink.delete(kind, namespace, name);
			tell(before, undefined);
		},
	};
}
