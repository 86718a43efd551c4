import type { Registry } from "prom-client";
import { Counter, Gauge, Histogram } from "prom-client";

/** How the feed of one kind stands. */
export interface FeedFigures {
	readonly objects: number;
	/** How many of them are too large to be kept whole. */
	readonly cut: number;
	/** Milliseconds since the API server last said anything; undefined: it never did. */
	readonly lastContactMs: number | undefined;
}

/** What is counted about following the API server, by kind. */
export interface FeedMetrics {
	readonly lag: Histogram<"kind">;
	readonly restarts: Counter<"kind" | "reason">;
}

/** Registers the metrics of the feed; gauges ask `figures` when they are scraped. */
export function createFeedMetrics(
	registry: Registry,
	figures: () => ReadonlyMap<string, FeedFigures>,
	staleMs: () => number,
): FeedMetrics {
	const registers = [registry];
	new Gauge({
		name: "waymark_feed_objects",
		help: "Objects in the world, by kind",
		labelNames: ["kind"],
		registers,
		collect() {
			for (const [kind, { objects }] of figures()) {
				this.set({ kind }, objects);
			}
		},
	});
	new Gauge({
		name: "waymark_feed_cut_objects",
		help: "Objects of which only a part is kept, because they are too large or memory is tight, by kind",
		labelNames: ["kind"],
		registers,
		collect() {
			for (const [kind, { cut }] of figures()) {
				this.set({ kind }, cut);
			}
		},
	});
	new Gauge({
		name: "waymark_feed_last_contact_seconds",
		help: "Time since the API server last said anything about a kind",
		labelNames: ["kind"],
		registers,
		collect() {
			for (const [kind, { lastContactMs }] of figures()) {
				this.set({ kind }, lastContactMs === undefined ? Number.POSITIVE_INFINITY : lastContactMs / 1000);
			}
		},
	});
	new Gauge({
		name: "waymark_feed_stale_seconds",
		help: "How long the oldest kind has been without its watch; 0 when the world is fresh",
		registers,
		collect() {
			this.set(staleMs() / 1000);
		},
	});
	return {
		lag: new Histogram({
			name: "waymark_feed_event_lag_seconds",
			help: "Time from an event's arrival to its effect in the world, by kind",
			labelNames: ["kind"],
			buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
			registers,
		}),
		restarts: new Counter({
			name: "waymark_feed_restarts_total",
			help: "Watches that had to be opened again, by kind and reason",
			labelNames: ["kind", "reason"],
			registers,
		}),
	};
}
