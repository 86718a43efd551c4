import { performance } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { retryLater } from "./retry-later.ts";

/**
 * Where a server is on its way out: `serving`; `draining` (not ready, still answering, connections end one by one);
 * `refusing` (late comers get 503 with `Retry-After: 1`, which the API server retries); `closed`.
 */
export type DrainState = "serving" | "draining" | "refusing" | "closed";

/** How long the steps of a drain last, in milliseconds. */
export interface DrainTimes {
	/** This long without a request, and everybody has found another replica. */
	readonly quietMs: number;
	/** After this long from the signal, whoever still comes is refused. */
	readonly deadlineMs: number;
	/** How long late comers are refused at most before the port closes; ends early when none came for a fifth of it. */
	readonly refuseMs: number;
	/** How long requests that are being answered may take when the port is closed; then they are cut. */
	readonly finishMs: number;
}

/** What became of the requests: `cut` were still being answered when time was up. */
export interface DrainOutcome {
	readonly cut: number;
	readonly refused: number;
	readonly tookMs: number;
}

/** A server that can leave without losing a request. */
export interface Drain {
	state(): DrainState;
	/** Requests that have come so far. */
	asked(): number;
	/** Requests being read or answered at this moment. */
	inFlight(): number;
	/** Calls back each time that a request has had its answer, or has gone away; gives what ends that. */
	whenAnswered(listener: () => void): () => void;
	/** How many late comers have been refused so far. */
	refused(): number;
	/** Leaves; later calls give the same promise. */
	begin(): Promise<DrainOutcome>;
	/** Cuts everything at once; `begin()` then resolves. */
	abort(): void;
}

/** Times for a pod with 45 s of grace: endpoints are gone everywhere within a few seconds, a call takes 10 s at most. */
export const defaultDrainTimes: DrainTimes = {
	quietMs: 5_000,
	deadlineMs: 25_000,
	refuseMs: 5_000,
	finishMs: 10_000,
};

/** Hooks a drain into an app, before its routes; the app must be created with `return503OnClosing: false`. */
export function installDrain(app: FastifyInstance, times: Partial<DrainTimes> = {}): Drain {
	const limits = { ...defaultDrainTimes, ...times };
	let state: DrainState = "serving";
	let asked = 0;
	let inFlight = 0;
	let refused = 0;
	let lastRequest = Number.NEGATIVE_INFINITY;
	let wake: (() => void) | null = null;
	let aborted = false;
	let outcome: Promise<DrainOutcome> | null = null;
	const listeners = new Set<() => void>();

	app.addHook("onRequest", (request, reply, done) => {
		asked += 1;
		inFlight += 1;
		lastRequest = performance.now();
		// "close" follows every end of a response: finished, failed, or the client went away.
		reply.raw.on("close", () => {
			inFlight -= 1;
			wake?.();
			for (const listener of listeners) {
				listener();
			}
		});
		if (state === "refusing" || state === "closed") {
			refused += 1;
			retryLater(request, reply, "close");
			return;
		}
		done();
	});
	app.addHook("onSend", (_request, reply, payload, done) => {
		// Without it the API server goes on using the connection, and the closing of an idle one may cross a request.
		if (state !== "serving") {
			reply.header("connection", "close");
		}
		done(null, payload);
	});

	/** Waits until `isOver()`, which is asked when a request ends and every `everyMs`; the instant `until` ends it too. */
	const wait = async (until: number, everyMs: number, isOver: (now: number) => boolean): Promise<void> => {
		while (!aborted) {
			const now = performance.now();
			if (now >= until || isOver(now)) {
				return;
			}
			await new Promise<void>((resolve) => {
				const timer = setTimeout(resolve, Math.min(everyMs, until - now));
				wake = () => {
					clearTimeout(timer);
					resolve();
				};
			});
			wake = null;
		}
	};
	const isQuietFor = (now: number, forMs: number, since: number): boolean =>
		inFlight === 0 && now - Math.max(lastRequest, since) >= forMs;

	/** Ends quiet connections once what has come on them meanwhile is read: a busy loop has requests that it does not know of. */
	const closeIdle = async (): Promise<void> => {
		await nextTurn();
		app.server.closeIdleConnections();
	};

	const leave = async (): Promise<DrainOutcome> => {
		const start = performance.now();
		if (!app.server.listening) {
			// Nobody could have been sent here: there is nothing to wait for.
			state = "closed";
			await app.close();
			return { cut: 0, refused: 0, tookMs: performance.now() - start };
		}
		state = "draining";
		await wait(start + limits.deadlineMs, Math.max(limits.quietMs / 20, 5), (now) =>
			isQuietFor(now, limits.quietMs, start),
		);
		state = "refusing";
		// Quiet connections end here, while the port still answers whoever crosses with it on a new one.
		await closeIdle();
		const refusing = performance.now();
		const pause = limits.refuseMs / 5;
		await wait(refusing + limits.refuseMs, Math.max(pause / 10, 5), (now) =>
			isQuietFor(now, pause, refusing),
		);
		app.server.close();
		await closeIdle();
		const closing = performance.now();
		await wait(closing + limits.finishMs, 50, () => inFlight === 0);
		const cut = inFlight;
		state = "closed";
		app.server.closeAllConnections();
		await app.close();
		return { cut, refused, tookMs: performance.now() - start };
	};

	return {
		state: () => state,
		asked: () => asked,
		inFlight: () => inFlight,
		whenAnswered(listener) {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
		refused: () => refused,
		begin() {
			outcome ??= leave();
			return outcome;
		},
		abort() {
			aborted = true;
			app.server.closeAllConnections();
			wake?.();
		},
	};
}
