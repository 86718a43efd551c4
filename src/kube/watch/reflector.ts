import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Resource } from "../client/api.ts";
import { ApiError, errorOfEvent, HttpError, resourcePath } from "../client/api.ts";
import type { Connection } from "../client/connection.ts";
import { translate } from "../client/connection.ts";
import { servedVersions } from "../client/discovery.ts";
import { LineSplitter } from "../client/lines.ts";
import type { Backoff, RestartReason } from "./backoff.ts";
import { nextStep, noBackoff, reasonOf } from "./backoff.ts";
import type { EventPace } from "./event-pace.ts";
import { createEventPace } from "./event-pace.ts";
import type { KindStore } from "./kind-store.ts";

/** The waits and sizes of a reflector; the defaults suit a cluster, tests shorten them. */
export interface ReflectorLimits {
	/** Milliseconds without a byte before an open watch counts as dead; longer than any watch lasts. */
	readonly idleMs: number;
	/** The same while initial events are due: a server that ignores `sendInitialEvents` stays silent. */
	readonly initialIdleMs: number;
	/** Objects in a page of a list; fewer after a page that was too long. */
	readonly pageSize: number;
	/** Bytes of a page, above which it is asked for again with half of the objects. */
	readonly pageBytes: number;
	/** Bytes of one watch event; etcd keeps objects to 1.5 MB. */
	readonly lineBytes: number;
	/** Milliseconds after which an open watch ends the backoff before it. */
	readonly provenMs: number;
	/**
	 * Seconds after which the server ends a watch; up to a quarter more, so that watches do not end together. Two seconds
	 * before, it sends a bookmark (k8s.io/apiserver storage/cacher/cache_watcher.go nextBookmarkTime), so a watch that is alive
	 * never stays silent for longer, however little happens.
	 */
	readonly watchSeconds: number;
}

/** Limits that suit a cluster. */
export const defaultLimits: ReflectorLimits = {
	idleMs: 11_000,
	initialIdleMs: 15_000,
	pageSize: 500,
	pageBytes: 8 * 1024 * 1024,
	lineBytes: 16 * 1024 * 1024,
	provenMs: 5000,
	watchSeconds: 8,
};

/** What a reflector is made of. */
export interface ReflectorOptions {
	readonly connection: Connection;
	readonly resource: Resource;
	/** Where the objects go. */
	readonly store: KindStore;
	readonly metadataOnly: boolean;
	readonly limits?: Partial<ReflectorLimits>;
	/** Monotonic milliseconds, so that steps of the wall clock change nothing. */
	readonly now?: () => number;
	/** The pace that it shares with the watches of other kinds; its own where absent. */
	readonly pace?: EventPace;
	/** A number in [0, 1). */
	readonly random?: () => number;
	/** Told what happens; must not throw. */
	readonly observer?: ReflectorObserver;
}

/** Who is told what happens to a reflector. */
export interface ReflectorObserver {
	/** A watch is open and the objects are those of the API server. */
	following?(): void;
	/** An attempt ended, and the next one comes after `waitMs`. */
	ended?(reason: RestartReason, waitMs: number, message: string): void;
	/** An event was applied so many milliseconds after its bytes arrived. */
	event?(lagMs: number): void;
}

/** How a reflector is. */
export interface ReflectorStatus {
	/** The objects were listed once. */
	readonly synced: boolean;
	/** A watch is open now, or the API server does not have the kind. */
	readonly following: boolean;
	readonly objects: number;
	/** How many of them are kept in part. */
	readonly cut: number;
	/** Monotonic time of the last byte from the API server about this kind; undefined: none yet. */
	readonly lastContact: number | undefined;
	readonly restarts: ReadonlyMap<RestartReason, number>;
	/** The version in use; undefined while the API server serves none. */
	readonly version: string | undefined;
	/** Why no watch is open. */
	readonly problem: string | undefined;
}

const listAccept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
const watchAccept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

const pageDeadlineMs = 60_000;

/** What is read of a list (metav1.List). */
interface ListPage {
	readonly items?: unknown;
	readonly metadata?: { readonly continue?: unknown; readonly resourceVersion?: unknown };
}

/** Follows one kind: lists it, watches it, and after every fault resumes or lists again, until it is stopped. */
export class Reflector {
	/** Settles when the objects were listed once, or the API server said that it does not have the kind. */
	readonly synced: Promise<void>;
	readonly #connection: Connection;
	readonly #resource: Resource;
	readonly #store: KindStore;
	readonly #metadataOnly: boolean;
	readonly #limits: ReflectorLimits;
	readonly #now: () => number;
	readonly #pace: EventPace;
	readonly #random: () => number;
	readonly #observer: ReflectorObserver;
	readonly #stop = new AbortController();
	readonly #restarts = new Map<RestartReason, number>();
	#markSynced: () => void = () => {};
	#isSynced = false;
	#isFollowing = false;
	#lastContact: number | undefined;
	#problem: string | undefined;
	#version: string | undefined;
	#watchList = true;
	#backoff: Backoff = noBackoff;
	#progressed = false;
	#isWoken = false;
	#endPause: () => void = () => {};
	#running: Promise<void> | undefined;

	constructor(options: ReflectorOptions) {
		this.#connection = options.connection;
		this.#resource = options.resource;
		this.#store = options.store;
		this.#metadataOnly = options.metadataOnly;
		this.#limits = { ...defaultLimits, ...options.limits };
		this.#now = options.now ?? (() => performance.now());
		this.#pace = options.pace ?? createEventPace(this.#now);
		this.#random = options.random ?? Math.random;
		this.#observer = options.observer ?? {};
		this.#version = options.resource.versions[0];
		this.synced = new Promise((resolve) => {
			this.#markSynced = resolve;
		});
	}

	/** The version whose paths are asked now; undefined while the API server serves none. */
	get version(): string | undefined {
		return this.#version;
	}

	/** Begins to follow; a second call changes nothing. */
	start(): void {
		this.#running ??= this.#run();
	}

	/** Ends the open exchange, and settles when nothing of this reflector runs any more. */
	async stop(): Promise<void> {
		this.#stop.abort();
		this.#endPause();
		await this.#running;
	}

	/** Ends a wait, this one or the next: something says that it is worth trying. */
	wake(): void {
		this.#isWoken = true;
		this.#backoff = noBackoff;
		this.#endPause();
	}

	status(): ReflectorStatus {
		return {
			synced: this.#isSynced,
			following: this.#isFollowing,
			objects: this.#store.size,
			cut: this.#store.cut,
			lastContact: this.#lastContact,
			restarts: this.#restarts,
			version: this.#version,
			problem: this.#problem,
		};
	}

	async #run(): Promise<void> {
		while (!this.#stop.signal.aborted) {
			this.#progressed = false;
			let failure: unknown;
			try {
				await this.#attempt();
			} catch (error) {
				failure = error;
			}
			if (this.#stop.signal.aborted) {
				this.#isFollowing = false;
				return;
			}
			await this.#pause(this.#recover(failure));
		}
	}

	/** Notes how the attempt ended and gives the milliseconds to wait before the next one. */
	#recover(failure: unknown): number {
		const reason = failure === undefined ? "closed" : reasonOf(failure);
		const step = nextStep(this.#backoff, reason, {
			now: this.#now(),
			random: this.#random(),
			progressed: this.#progressed,
			retryAfterMs: failure instanceof ApiError ? failure.retryAfterMs : undefined,
		});
		this.#backoff = step.backoff;
		if (step.relist) {
			this.#store.forget();
		}
		this.#restarts.set(reason, (this.#restarts.get(reason) ?? 0) + 1);
		const message = failure instanceof Error ? failure.message : "the API server closed the watch";
		// A kind that the API server does not have is followed by asking for it now and then.
		this.#isFollowing = reason === "missing" && this.#version === undefined;
		this.#problem = this.#isFollowing ? undefined : message;
		this.#observer.ended?.(reason, step.waitMs, message);
		return step.waitMs;
	}

	#pause(waitMs: number): Promise<void> {
		if (this.#isWoken || this.#stop.signal.aborted) {
			this.#isWoken = false;
			return Promise.resolve();
		}
		return new Promise((resolve) => {
			const timer = setTimeout(resolve, waitMs);
			this.#endPause = () => {
				this.#isWoken = false;
				clearTimeout(timer);
				resolve();
			};
		});
	}

	async #attempt(): Promise<void> {
		if (this.#version === undefined) {
			await this.#discover();
		}
		try {
			if (this.#store.resume !== undefined) {
				await this.#watch(false);
			} else if (this.#watchList) {
				await this.#watchInitial();
			} else {
				await this.#list();
				await this.#watch(false);
			}
		} catch (error) {
			if (!(error instanceof ApiError) || error.status !== 404) {
				throw error;
			}
			// Which version does it serve, if any? The next attempt uses it.
			await this.#discover();
			throw error;
		}
	}

	/** Asks which version is served; when none is, the kind is empty and synced, and the error says so. */
	async #discover(): Promise<void> {
		if (this.#resource.group === "") {
			return;
		}
		const [version] = await servedVersions(this.#connection, this.#resource, this.#stop.signal);
		this.#contact();
		this.#version = version;
		if (version === undefined) {
			this.#store.begin();
			this.#store.commit(undefined);
			this.#sync();
			throw new ApiError(404, "NotFound", "the API server does not serve this kind");
		}
	}

	#sync(): void {
		this.#isFollowing = true;
		this.#isSynced = true;
		this.#problem = undefined;
		this.#markSynced();
		this.#observer.following?.();
	}

	#contact(): void {
		this.#lastContact = this.#now();
	}

	#path(): string {
		const { group, versions, plural, namespace } = this.#resource;
		return resourcePath(group, this.#version ?? versions[0] ?? "v1", plural, namespace);
	}

	/** Reads every page aside, then swaps. No resourceVersion: with one, the server would ignore the limit. */
	async #list(): Promise<void> {
		this.#store.begin();
		let token: string | undefined;
		let resourceVersion: string | undefined;
		do {
			const page = await this.#page(token);
			this.#contact();
			const { items, metadata } = page ?? {};
			if ((items !== null && !Array.isArray(items)) || typeof metadata?.resourceVersion !== "string") {
				throw new HttpError("malformed", "Cannot read a list: it has no items or no resourceVersion");
			}
			for (const item of items ?? []) {
				if (!this.#store.collect(item)) {
					throw new HttpError("malformed", "Cannot read a list: an item has no name");
				}
			}
			resourceVersion = metadata.resourceVersion;
			token =
				typeof metadata.continue === "string" && metadata.continue !== "" ? metadata.continue : undefined;
		} while (token !== undefined);
		this.#store.commit(resourceVersion);
		this.#isSynced = true;
		this.#markSynced();
	}

	/** Reads one page; halves it while it is too long, so that a few hundred large objects are never held at once. */
	async #page(token: string | undefined): Promise<ListPage> {
		for (let size = this.#limits.pageSize; ; size = Math.ceil(size / 2)) {
			try {
				return (await this.#connection.request("GET", this.#path(), {
					query: { limit: size, continue: token, fieldSelector: this.#resource.fieldSelector },
					accept: this.#metadataOnly ? listAccept : "application/json",
					signal: this.#stop.signal,
					deadlineMs: pageDeadlineMs,
					limitBytes: size === 1 ? this.#limits.lineBytes : this.#limits.pageBytes,
				})) as ListPage;
			} catch (error) {
				if (size === 1 || !(error instanceof HttpError) || error.failure !== "oversized") {
					throw error;
				}
			}
		}
	}

	/** A watch that begins with the objects there are (WatchList); where the server cannot, the next attempt lists. */
	async #watchInitial(): Promise<void> {
		this.#store.begin();
		try {
			await this.#watch(true);
		} catch (error) {
			const reason = reasonOf(error);
			if (this.#store.resume === undefined && (reason === "refused" || reason === "silent")) {
				this.#watchList = false;
			}
			throw error;
		}
		if (this.#store.resume === undefined) {
			this.#watchList = false;
			throw new HttpError("cut", "Cannot follow the kind: the watch ended before its initial events did");
		}
	}

	async #watch(initial: boolean): Promise<void> {
		const { idleMs, initialIdleMs, watchSeconds } = this.#limits;
		const body = await this.#connection.stream(this.#path(), {
			query: {
				watch: true,
				allowWatchBookmarks: true,
				timeoutSeconds: Math.round(watchSeconds * (1 + this.#random() / 4)),
				fieldSelector: this.#resource.fieldSelector,
				resourceVersion: initial ? undefined : this.#store.resume,
				sendInitialEvents: initial || undefined,
				resourceVersionMatch: initial ? "NotOlderThan" : undefined,
			},
			accept: this.#metadataOnly ? watchAccept : "application/json",
			signal: this.#stop.signal,
		});
		const opened = this.#now();
		this.#contact();
		if (!initial) {
			this.#sync();
		}
		const watchdog = startWatchdog(body, initial ? initialIdleMs : idleMs);
		const lines = new LineSplitter(this.#limits.lineBytes);
		try {
			await eachChunk(body, this.#pace, this.#now, (chunk, arrived) => {
				const begun = this.#now();
				this.#lastContact = begun;
				lines.push(chunk, (line) => this.#line(line, arrived));
				watchdog.patted(this.#isFollowing ? idleMs : initialIdleMs);
				// Before the first list is whole nobody is answered, so that nobody has to be waited for.
				if (this.#isSynced) {
					this.#pace.took(begun);
				}
			});
		} catch (error) {
			throw translate(error);
		} finally {
			watchdog.stop();
			body.destroy();
			this.#progressed ||= this.#isFollowing && this.#now() - opened >= this.#limits.provenMs;
		}
		// The end of an answer is the server's word too.
		this.#contact();
		if (lines.pending > 0) {
			throw new HttpError("cut", "Cannot read a watch event: the connection ended in its middle");
		}
	}

	#line(line: string, arrived: number): void {
		let event: unknown;
		try {
			event = JSON.parse(line);
		} catch (error) {
			throw new HttpError("malformed", "Cannot read a watch event: it is not JSON", error);
		}
		switch (this.#store.event(event)) {
			case "error":
				throw errorOfEvent((event as { object?: unknown }).object);
			case "malformed":
				throw new HttpError("malformed", "Cannot read a watch event: it has no known type or no name");
			case "synced":
				this.#sync();
				return;
			case "applied":
				// Before, it is put aside, and the world does not have it yet.
				if (this.#isFollowing) {
					this.#progressed = true;
					this.#observer.event?.(this.#now() - arrived);
				}
				return;
			case "ignored":
			case "bookmark":
		}
	}
}

/**
 * Hands on each chunk as it comes, to the end of the stream; an async iterator would cost three promises for each. Where the
 * pace wants it, the stream is paused with the chunk in hand: only the events of this kind come later.
 */
async function eachChunk(
	body: Readable,
	pace: EventPace,
	now: () => number,
	take: (chunk: Buffer, arrived: number) => void,
): Promise<void> {
	const takeInTurn = (chunk: Buffer, arrived: number): void => {
		if (body.destroyed) {
			return;
		}
		const wait = pace.waitMs();
		if (wait > 0) {
			body.pause();
			setTimeout(takeInTurn, wait, chunk, arrived).unref();
			return;
		}
		try {
			take(chunk, arrived);
			body.resume();
		} catch (error) {
			body.destroy(error as Error);
		}
	};
	body.on("data", (chunk: Buffer) => takeInTurn(chunk, now()));
	await finished(body);
}

/** Breaks a stream that has been silent for too long; `patted` says that it was not. */
function startWatchdog(body: Readable, idleMs: number): { patted(idleMs: number): void; stop(): void } {
	let limit = idleMs;
	const bark = (): void => {
		body.destroy(new HttpError("silent", "Cannot follow the kind: the watch is open but silent"));
	};
	let timer = setTimeout(bark, limit);
	return {
		patted(next) {
			if (next === limit) {
				timer.refresh();
				return;
			}
			limit = next;
			clearTimeout(timer);
			timer = setTimeout(bark, limit);
		},
		stop: () => clearTimeout(timer),
	};
}
