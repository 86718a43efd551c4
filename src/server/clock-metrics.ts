import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { Gauge } from "prom-client";
import type { Check } from "./probes.ts";

/** A clock that is watched, and what `/readyz` says of it. */
export interface ClockWatch {
	checks(): readonly Check[];
	stop(): void;
}

const checkEveryMs = 5000;

/** From here on it is said: dates of exemptions and lifetimes of certificates are off. */
const notableMs = 60_000;

/** From here on no certificate that is made here is valid to the API server: new ones begin an hour before now. */
const unusableMs = 3_600_000;

/**
 * Registers the metric of the clock, and logs when it goes astray and when that is over.
 * @param skewMs milliseconds by which this clock is ahead of the API server's; undefined while nobody knows
 */
export function watchClock(
	registry: Registry,
	log: Pick<Logger, "info" | "warn">,
	skewMs: () => number | undefined,
	everyMs: number = checkEveryMs,
): ClockWatch {
	new Gauge({
		name: "waymark_clock_skew_seconds",
		help: "By how much this clock is ahead of the API server's, negative where it is behind",
		registers: [registry],
		collect() {
			this.set((skewMs() ?? 0) / 1000);
		},
	});
	let isAstray = false;
	const check = (): void => {
		const skew = skewMs() ?? 0;
		const was = isAstray;
		isAstray = Math.abs(skew) > notableMs;
		if (isAstray && !was) {
			log.warn({ skewSeconds: Math.round(skew / 1000) }, "the clock differs from the API server's");
		} else if (was && !isAstray) {
			log.info({}, "the clock agrees with the API server's again");
		}
	};
	const timer = setInterval(check, everyMs);
	timer.unref();
	return {
		checks() {
			const skew = skewMs();
			return skew === undefined ? [] : [clockCheck(skew)];
		},
		stop: () => clearInterval(timer),
	};
}

function clockCheck(skew: number): Check {
	const name = "clock";
	const size = Math.abs(skew);
	if (size <= notableMs) {
		return { name, ok: true, detail: "agrees with the API server's" };
	}
	const side = skew > 0 ? "ahead of" : "behind";
	const detail = `${duration(size)} ${side} the API server's`;
	return size > unusableMs
		? { name, ok: false, detail: `${detail}: certificates are not valid to one of the two` }
		: { name, ok: false, advisory: true, detail };
}

function duration(ms: number): string {
	const minutes = Math.round(ms / 60_000);
	return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
