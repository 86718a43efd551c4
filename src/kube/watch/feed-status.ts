import type { Kind } from "../../core/kinds.ts";
import type { RestartReason } from "./backoff.ts";

/** How long a world may be without the API server. */
export interface Staleness {
	/** Milliseconds without a watch after which a kind counts as stale: a watch that is renewed is no event. */
	readonly noticeMs: number;
	/** Milliseconds of staleness after which the replica is not ready any more; it still answers. */
	readonly limitMs: number;
}

/** The policy unless the configuration says otherwise; `docs/operations.md` says why. */
export const defaultStaleness: Staleness = { noticeMs: 5000, limitMs: 600_000 };

/** How the feed of one kind is. */
export interface KindStatus {
	/** The objects were listed once. */
	readonly synced: boolean;
	/** A watch is open, or the API server does not serve the kind. */
	readonly following: boolean;
	readonly objects: number;
	/** How many of them are kept in part, because they are too large. */
	readonly cut: number;
	/** Milliseconds since the API server last said anything about it; undefined: it never did. */
	readonly lastContactMs: number | undefined;
	readonly restarts: ReadonlyMap<RestartReason, number>;
	/** The version that is read; undefined when the API server serves none. */
	readonly version: string | undefined;
	/** Why there is no watch. */
	readonly problem: string | undefined;
}

/** Kinds without a watch, and since when, in milliseconds, the stalest of them was not heard of. */
export interface StaleKinds {
	readonly kinds: ReadonlySet<Kind>;
	readonly ageMs: number;
}

export interface FeedStatus {
	/** Every kind was listed once. */
	readonly synced: boolean;
	/** No kind has been without its watch for longer than the notice. */
	readonly fresh: boolean;
	/** Synced, and not stale for longer than the limit; once past it, only freshness makes it ready again. */
	readonly ready: boolean;
	/** Milliseconds for which the oldest kind has had no watch; 0 when fresh. */
	readonly staleMs: number;
	readonly kinds: ReadonlyMap<Kind, KindStatus>;
}
