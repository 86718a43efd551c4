import { ApiError, HttpError } from "../client/api.ts";

/** Why one attempt of a reflector ended; also the label of the restart metric, so the set is closed. */
export type RestartReason =
	| "closed"
	| "cut"
	| "silent"
	| "expired"
	| "unreachable"
	| "timeout"
	| "throttled"
	| "unavailable"
	| "unauthorized"
	| "forbidden"
	| "missing"
	| "refused"
	| "malformed"
	| "oversized"
	| "credentials"
	| "fault";

/** What follows when an attempt ended for a reason. */
interface Policy {
	/** Forget the resourceVersion and list again. */
	readonly relist: boolean;
	/** Longest wait in the first `patienceMs` of a backoff; after it, `slowMs`. */
	readonly capMs: number;
	readonly patienceMs: number;
	readonly slowMs: number;
}

const minute = 60_000;

// While a fault is young, one second keeps the promise to be fresh within two seconds of its end; a fault that lasts
// is asked about more rarely, so that a cluster that is down, or a missing permission, is not hammered for ever.
const eager: Policy = { relist: false, capMs: 1000, patienceMs: 10 * minute, slowMs: 5000 };
const policies: Readonly<Record<RestartReason, Policy>> = {
	closed: eager,
	cut: eager,
	silent: eager,
	unreachable: eager,
	timeout: eager,
	throttled: eager,
	unavailable: eager,
	unauthorized: { ...eager, patienceMs: 2 * minute, slowMs: 10_000 },
	credentials: { ...eager, patienceMs: 2 * minute, slowMs: 10_000 },
	forbidden: { ...eager, relist: true, patienceMs: 2 * minute, slowMs: 10_000 },
	missing: { ...eager, relist: true, patienceMs: minute, slowMs: 10_000 },
	expired: { ...eager, relist: true },
	refused: { ...eager, relist: true, patienceMs: minute, slowMs: 15_000 },
	malformed: { ...eager, patienceMs: minute, slowMs: 15_000 },
	oversized: { relist: true, capMs: 5000, patienceMs: minute, slowMs: 30_000 },
	fault: { relist: true, capMs: 1000, patienceMs: minute, slowMs: 15_000 },
};

/** Where a reflector's backoff is: attempts that failed in a row, and since when (monotonic milliseconds). */
export interface Backoff {
	readonly failures: number;
	readonly since: number;
	readonly last: RestartReason | undefined;
}

/** The last attempt did not fail. */
export const noBackoff: Backoff = { failures: 0, since: 0, last: undefined };

/** What a reflector does next. */
export interface Step {
	readonly backoff: Backoff;
	readonly waitMs: number;
	readonly relist: boolean;
}

const firstWaitMs = 50;

/**
 * Decides what follows an attempt that ended: exponential backoff with jitter, never below what the server asked for.
 * An attempt that `progressed` (an event came, or the watch lived for seconds) ends the backoff before it.
 * @param random a number in [0, 1)
 */
export function nextStep(
	before: Backoff,
	reason: RestartReason,
	at: {
		readonly now: number;
		readonly random: number;
		readonly progressed: boolean;
		readonly retryAfterMs?: number | undefined;
	},
): Step {
	const settled = before.failures === 0 || at.progressed;
	const failures = settled ? 1 : before.failures + 1;
	const since = settled ? at.now : before.since;
	const policy = policies[reason];
	const cap = at.now - since > policy.patienceMs ? policy.slowMs : policy.capMs;
	const backoffMs = Math.min(cap, firstWaitMs * 2 ** Math.min(failures - 1, 20)) * (0.5 + at.random / 2);
	// A second garbled line in a row: what lies before it may be lost too. A second silence: after etcd was restored from
	// a backup, a watch is told of nothing, not even bookmarks, until the place is reached from which it resumed.
	const again = reason === before.last && (reason === "malformed" || reason === "silent");
	const relist = policy.relist || again;
	const asked = at.retryAfterMs === undefined ? 0 : at.retryAfterMs * (1 + at.random / 10);
	return { backoff: { failures, since, last: reason }, waitMs: Math.max(backoffMs, asked), relist };
}

/** The reason for which an error ends a watch. */
export function reasonOf(error: unknown): RestartReason {
	if (error instanceof HttpError) {
		return error.failure;
	}
	if (!(error instanceof ApiError)) {
		return "fault";
	}
	// client-go: apierrors.IsResourceExpired, IsGone, IsTooLargeResourceVersion (504 Timeout, a restored etcd).
	if (error.status === 410 || error.reason === "Expired" || error.reason === "Gone") {
		return "expired";
	}
	if (error.status === 504 && /too large resource version/i.test(error.message)) {
		return "expired";
	}
	switch (error.status) {
		case 401:
			return "unauthorized";
		case 403:
			return "forbidden";
		case 404:
			return "missing";
		case 429:
			return "throttled";
		default:
			return error.status >= 500 || error.status === 408 ? "unavailable" : "refused";
	}
}
