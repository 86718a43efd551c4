import type { AnyObject, Kind } from "../../core/kinds.ts";
import { kinds } from "../../core/kinds.ts";
import { ApiError, resourcePath } from "../client/api.ts";
import type { Connection } from "../client/connection.ts";
import type { Feed } from "./feed.ts";
import { keepWhole, projectionOf } from "./projection.ts";

/** What a direct read said about an object that the world does not have, or may not have any more. */
export type Confirmation =
	| { readonly status: "present"; readonly object: AnyObject }
	| { readonly status: "absent" }
	/** The read failed; `reason` says why, in words for people. */
	| { readonly status: "unconfirmed"; readonly reason: string };

/** Confirms what a verdict rests on before it is given. */
export interface Confirmer {
	/** Reads one object; `namespace` is "" for kinds without one. Never throws. */
	confirm(kind: Kind, namespace: string, name: string, signal?: AbortSignal): Promise<Confirmation>;
	/** Reads that were sent, by what they said. */
	counts(): Readonly<Record<Confirmation["status"], number>>;
}

export interface ConfirmerOptions {
	readonly connection: Connection;
	/** Says which version is served, and takes what was read ahead of its watch. */
	readonly feed: Pick<Feed, "version" | "offer" | "discard">;
	/** Milliseconds for one answer, waiting included. */
	readonly deadlineMs?: number;
	/** Reads at a time. */
	readonly concurrency?: number;
	/** Shortest time between two reads of the same object. */
	readonly spacingMs?: number;
}

interface Waiting {
	readonly round: Promise<Confirmation>;
	/** The read was sent: who comes now needs another one. */
	isSent: boolean;
}

/**
 * Reads objects directly, each at most once at a time. An answer is only given to those who asked before its read was
 * sent: an older one may have missed an object that was created since, and would confirm a denial that is wrong. Who
 * asks meanwhile shares the next read, so that a flood of denials costs one read per spacing and object.
 */
export function createConfirmer(options: ConfirmerOptions): Confirmer {
	const { connection, feed, deadlineMs = 400, concurrency = 8, spacingMs = 25 } = options;
	const latest = new Map<string, Waiting>();
	const queue: (() => void)[] = [];
	const counts = { present: 0, absent: 0, unconfirmed: 0 };
	let running = 0;

	async function acquire(): Promise<void> {
		if (running < concurrency) {
			running++;
			return;
		}
		await new Promise<void>((resolve) => queue.push(resolve));
	}

	function release(): void {
		const next = queue.shift();
		if (next === undefined) {
			running--;
		} else {
			next();
		}
	}

	function ask(kind: Kind, namespace: string, name: string): Promise<Confirmation> {
		const key = `${kind}/${namespace}/${name}`;
		const before = latest.get(key);
		if (before !== undefined && !before.isSent) {
			return before.round;
		}
		const asked = performance.now();
		const waiting: Waiting = {
			isSent: false,
			round: (before === undefined ? Promise.resolve() : before.round.then(() => sleep(spacingMs))).then(
				async () => {
					await acquire();
					waiting.isSent = true;
					try {
						const answer: Confirmation =
							performance.now() - asked > deadlineMs
								? { status: "unconfirmed", reason: "too many objects have to be read" }
								: await read(connection, feed, deadlineMs, kind, namespace, name);
						counts[answer.status]++;
						return answer;
					} finally {
						release();
						if (latest.get(key) === waiting) {
							latest.delete(key);
						}
					}
				},
			),
		};
		latest.set(key, waiting);
		return waiting.round;
	}

	return {
		confirm: (kind, namespace, name, signal) => within(ask(kind, namespace, name), deadlineMs, signal),
		counts: () => counts,
	};
}

async function read(
	connection: Connection,
	feed: ConfirmerOptions["feed"],
	deadlineMs: number,
	kind: Kind,
	namespace: string,
	name: string,
): Promise<Confirmation> {
	const { group, plural, versions } = kinds[kind];
	const served = feed.version(kind);
	// A kind that was not served a moment ago may be now: its definition can come in the same file.
	for (const version of served === undefined ? versions : [served]) {
		try {
			const path = resourcePath(group, version, plural, namespace, name);
			const raw = await connection.request("GET", path, { deadlineMs });
			feed.offer(kind, raw);
			const object = projectionOf(kind, keepWhole())(raw, version);
			return object === undefined
				? { status: "unconfirmed", reason: "the API server's answer is no object" }
				: { status: "present", object };
		} catch (error) {
			if (!(error instanceof ApiError) || error.status !== 404) {
				return { status: "unconfirmed", reason: error instanceof Error ? error.message : String(error) };
			}
		}
	}
	feed.discard(kind, namespace, name);
	return { status: "absent" };
}

function sleep(ms: number): Promise<void> {
	return new Promise((resolve) => {
		setTimeout(resolve, ms);
	});
}

/** The answer, or that there was none in time; the read itself goes on for others. */
async function within(
	answer: Promise<Confirmation>,
	deadlineMs: number,
	signal: AbortSignal | undefined,
): Promise<Confirmation> {
	let timer: NodeJS.Timeout | undefined;
	let onAbort: (() => void) | undefined;
	const late = new Promise<Confirmation>((resolve) => {
		const giveUp = (): void =>
			resolve({ status: "unconfirmed", reason: `the API server did not answer within ${deadlineMs} ms` });
		timer = setTimeout(giveUp, deadlineMs);
		onAbort = giveUp;
		signal?.addEventListener("abort", giveUp, { once: true });
		if (signal?.aborted === true) {
			giveUp();
		}
	});
	try {
		return await Promise.race([answer, late]);
	} finally {
		clearTimeout(timer);
		if (onAbort !== undefined) {
			signal?.removeEventListener("abort", onAbort);
		}
	}
}
