import type { Kind } from "../../core/kinds.ts";
import type { Log } from "../client/log.ts";
import type { FeedStatus, KindStatus, StaleKinds, Staleness } from "./feed-status.ts";
import type { ReflectorStatus } from "./reflector.ts";

const checkEveryMs = 1000;

// The server ends every watch after some seconds, and the next one is open a moment later: that is no loss.
const renewalMs = 900;

// A kind that is not served is asked for every ten seconds: that long it may take to notice an outage that was told of.
const sameEventMs = 60_000;

/**
 * Judges how stale a feed is, and logs when that begins and when it ends, not while it lasts. A kind is stale when it
 * has no watch and the API server has said nothing about it for longer than the notice; the feed is as stale as its
 * stalest kind.
 */
export function createStalenessMonitor(options: {
	readonly status: () => ReadonlyMap<Kind, ReflectorStatus>;
	readonly now: () => number;
	readonly log: Log;
	readonly staleness: Staleness;
}): { check(): FeedStatus; stale(): StaleKinds | undefined; stop(): void } {
	const { now, log, staleness } = options;
	const start = now();
	const seen = new Map<Kind, number>();
	const stale = new Set<Kind>();
	let staleSince: number | undefined;
	let toldAt = Number.NEGATIVE_INFINITY;
	let isPastLimit = false;

	function check(): FeedStatus {
		const time = now();
		const without: Kind[] = [];
		let worst = 0;
		let worstNew = 0;
		let synced = true;
		const kinds = new Map<Kind, KindStatus>();
		for (const [kind, status] of options.status()) {
			if (status.following) {
				seen.set(kind, time);
			}
			const goneMs = time - (seen.get(kind) ?? start);
			const age = silenceOf(status, goneMs, time);
			worst = Math.max(worst, age);
			if (status.following) {
				stale.delete(kind);
			} else if (!stale.has(kind) && goneMs > Math.min(renewalMs, staleness.noticeMs)) {
				without.push(kind);
				worstNew = Math.max(worstNew, age);
			}
			synced &&= status.synced;
			kinds.set(kind, describe(status, time));
		}
		// Kinds that lost their watch together are told of together, though not noticed in the same millisecond.
		const begun = worstNew > staleness.noticeMs ? without : [];
		note(begun, kinds, time, time - worst, synced);
		isPastLimit = staleSince !== undefined && (isPastLimit || time - staleSince > staleness.limitMs);
		return {
			synced,
			fresh: synced && staleSince === undefined,
			ready: synced && !isPastLimit,
			// Before the first lists there is nothing that could be old.
			staleMs: !synced || staleSince === undefined ? 0 : time - staleSince,
			kinds,
		};
	}

	function note(
		begun: readonly Kind[],
		kinds: ReadonlyMap<Kind, KindStatus>,
		time: number,
		lastFresh: number,
		synced: boolean,
	): void {
		if (begun.length > 0) {
			for (const kind of begun) {
				stale.add(kind);
			}
			staleSince ??= lastFresh;
			if (time - toldAt < sameEventMs) {
				return;
			}
			toldAt = time;
			const problems = new Set(begun.map((kind) => kinds.get(kind)?.problem ?? "no answer yet"));
			log.warn(
				{ kinds: begun, problems: [...problems] },
				synced ? "watch lost, answering from the last world" : "kinds not readable yet, not ready",
			);
		}
		if (stale.size === 0 && staleSince !== undefined) {
			log.info({ staleMs: Math.round(time - staleSince) }, "every kind is watched, the world is fresh");
			staleSince = undefined;
			toldAt = Number.NEGATIVE_INFINITY;
		}
	}

	const timer = setInterval(check, checkEveryMs);
	timer.unref();
	return {
		check,
		stale: () => (staleSince === undefined ? undefined : { kinds: stale, ageMs: now() - staleSince }),
		stop: () => clearInterval(timer),
	};
}

/** For how long nothing has been heard of a kind without a watch; 0 with one. */
function silenceOf({ following, lastContact }: ReflectorStatus, goneMs: number, time: number): number {
	return following ? 0 : Math.max(goneMs, time - (lastContact ?? time));
}

function describe(status: ReflectorStatus, time: number): KindStatus {
	return {
		synced: status.synced,
		following: status.following,
		objects: status.objects,
		cut: status.cut,
		lastContactMs: status.lastContact === undefined ? undefined : Math.max(0, time - status.lastContact),
		restarts: status.restarts,
		version: status.version,
		problem: status.problem,
	};
}
