import type { FastifyInstance } from "fastify";
import type { Drain } from "./drain.ts";
import { retryLater } from "./retry-later.ts";

/** What a replica takes upon itself before it sends requests elsewhere. */
export interface OverloadLimits {
	/** Requests being read or answered at the same time. */
	readonly maxInFlight: number;
	/** How late the event loop may be, in milliseconds. */
	readonly maxDelayMs: number;
	/** For how long a delay counts, in milliseconds. */
	readonly windowMs: number;
}

/** Why a request is turned away: too many at once, or an event loop that is late. */
export type OverloadReason = "concurrency" | "event-loop";

/** Sheds what a replica cannot answer in time. */
export interface Overload {
	/** Why requests are turned away now, or `null`. */
	reason(): OverloadReason | null;
	/** How many requests have been turned away for that reason. */
	shed(reason: OverloadReason): number;
	/** The event loop's longest delay in the last window, in milliseconds. */
	delayMs(): number;
	stop(): void;
}

/**
 * The limits of a replica: an answer takes a fraction of a millisecond, so 512 at once, or half a second of delay,
 * means that the webhook's timeout is near, and a second's wait for another replica is the better bet.
 */
export const defaultOverloadLimits: OverloadLimits = { maxInFlight: 512, maxDelayMs: 500, windowMs: 250 };

const tickMs = 20;

/**
 * Hooks overload protection into an app, after its drain, which counts the requests, and before its routes; beyond the
 * limits it answers 503 with `Retry-After: 1`.
 */
export function installOverload(
	app: FastifyInstance,
	{ inFlight }: Pick<Drain, "inFlight">,
	limits: Partial<OverloadLimits> = {},
	/** Gives up a request that stopped coming, and with it the place that it takes; whether there was one. */
	relieve: () => boolean = () => false,
): Overload {
	const { maxInFlight, maxDelayMs, windowMs } = { ...defaultOverloadLimits, ...limits };
	const shed = { concurrency: 0, "event-loop": 0 };
	let tickedAt = performance.now();
	let longest = { delayMs: 0, at: tickedAt };
	// Not monitorEventLoopDelay(): after each reset() it needs two quiet turns of the loop before it records anything.
	const ticking = setInterval(() => {
		const now = performance.now();
		const delayMs = Math.max(0, now - tickedAt - tickMs);
		tickedAt = now;
		if (delayMs >= longest.delayMs || now - longest.at > windowMs) {
			longest = { delayMs, at: now };
		}
	}, tickMs);
	ticking.unref();
	const reason = (): OverloadReason | null => {
		if (inFlight() > maxInFlight) {
			return "concurrency";
		}
		return longest.delayMs > maxDelayMs ? "event-loop" : null;
	};
	app.addHook("onRequest", (request, reply, done) => {
		const why = reason();
		if (why === "event-loop" || (why === "concurrency" && !relieve())) {
			shed[why] += 1;
			// The connection stays: under load, a new TLS handshake costs as much as ten answers.
			retryLater(request, reply, "keep-alive");
			return;
		}
		done();
	});
	return {
		reason: () => (inFlight() >= maxInFlight ? "concurrency" : reason()),
		shed: (why) => shed[why],
		delayMs: () => longest.delayMs,
		stop() {
			clearInterval(ticking);
		},
	};
}
