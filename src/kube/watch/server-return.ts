import { ApiError } from "../client/api.ts";
import type { Connection } from "../client/connection.ts";
import type { RestartReason } from "./backoff.ts";

/** Reasons for which the whole API server may be unavailable. */
const suspicious: ReadonlySet<RestartReason> = new Set(["unreachable", "timeout", "unavailable"]);

/** How often, in milliseconds, an absence is believed that nobody saw. */
const unseenEveryMs = 10_000;

/**
 * Notices that an API server which was away is back: a starting one asks callers to wait five seconds, and is ready
 * after two. While something is wrong `/readyz` is asked twice a second; `returned` is called when it turns good.
 */
export function watchServerReturn(
	connection: Connection,
	returned: () => void,
	everyMs = 500,
	answerMs = 3000,
): { suspect(reason: RestartReason): void; stop(): Promise<void> } {
	const controller = new AbortController();
	let running: Promise<void> | undefined;

	let toldAt = Number.NEGATIVE_INFINITY;

	async function poll(): Promise<void> {
		let wasAway = false;
		while (!controller.signal.aborted) {
			const state = await askReadiness(connection, controller.signal, answerMs);
			if (state !== "away") {
				// It may have come back before the first question; a server that is only refusing a kind is not hurried.
				if (state === "ready" && (wasAway || performance.now() - toldAt > unseenEveryMs)) {
					toldAt = performance.now();
					returned();
				}
				return;
			}
			wasAway = true;
			await pause(everyMs, controller.signal);
		}
	}

	return {
		suspect(reason) {
			if (suspicious.has(reason) && running === undefined) {
				running = poll().finally(() => {
					running = undefined;
				});
			}
		},
		async stop() {
			controller.abort();
			await running;
		},
	};
}

/** `unknown`: it answers, and does not say; some clusters do not let everybody ask. */
async function askReadiness(
	connection: Connection,
	signal: AbortSignal,
	answerMs: number,
): Promise<"ready" | "away" | "unknown"> {
	try {
		// An answer that begins and never ends must not end the asking.
		const inTime = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
		const body = await connection.stream("/readyz", { signal: inTime });
		for await (const _chunk of body) {
			// Read to its end, so that the connection can be used again.
		}
		return "ready";
	} catch (error) {
		return error instanceof ApiError && error.status < 500 && error.status !== 429 ? "unknown" : "away";
	}
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const end = (): void => {
			clearTimeout(timer);
			signal.removeEventListener("abort", end);
			resolve();
		};
		const timer = setTimeout(end, ms);
		signal.addEventListener("abort", end);
	});
}
