import type { Registry } from "prom-client";
import { Histogram } from "prom-client";

/** Which webhook answered. */
export type Endpoint = "mutate" | "validate";

/** What a review was answered with. */
export type Decision = "allow" | "deny" | "patch" | "skip";

/** How long answers took. */
export interface Durations {
	/** Takes note of an answer that took so many seconds. */
	observe(webhook: Endpoint, decision: Decision, seconds: number): void;
	/** Answers so far. */
	answered(): number;
}

type Waiting = Readonly<Record<Decision, number[]>>;

/** So many observations wait at most: they take 8 KiB, and counting them half a millisecond. */
const mostWaiting = 1_000;

/**
 * Registers the histogram of durations. Observations wait until it is scraped, or until there are many: alone, each
 * would cost a request about as much as half of the rules.
 */
export function createDurations(registry: Registry): Durations {
	const waiting: Readonly<Record<Endpoint, Waiting>> = {
		mutate: { allow: [], deny: [], patch: [], skip: [] },
		validate: { allow: [], deny: [], patch: [], skip: [] },
	};
	const histogram = new Histogram({
		name: "waymark_admission_duration_seconds",
		help: "Time to answer an admission review, by webhook and decision",
		labelNames: ["webhook", "decision"],
		buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
		registers: [registry],
		collect() {
			for (const [webhook, decisions] of Object.entries(waiting)) {
				for (const [decision, durations] of Object.entries(decisions)) {
					count(webhook, decision, durations);
				}
			}
		},
	});
	const count = (webhook: string, decision: string, durations: number[]): void => {
		for (const seconds of durations) {
			histogram.observe({ webhook, decision }, seconds);
		}
		durations.length = 0;
	};
	let answers = 0;
	return {
		answered: () => answers,
		observe(webhook, decision, seconds) {
			answers += 1;
			const durations = waiting[webhook][decision];
			if (durations.push(seconds) >= mostWaiting) {
				count(webhook, decision, durations);
			}
		},
	};
}
