import type { Registry } from "prom-client";
import { Gauge } from "prom-client";

/** How far policies are kept, counted. */
export interface ReachFigures {
	/** Pairs of a namespace and a port of a host; undefined before they were worked out. */
	readonly gaps: { readonly waypoint: number; readonly direct: number } | undefined;
	readonly policies: { readonly kept: number; readonly waiting: number; readonly oversized: number };
	/** Since the replica became holder. */
	readonly writes: { readonly applied: number; readonly deleted: number; readonly failed: number };
}

/** Registers what is known of reach, which asks `figures` when it is scraped; undefined: this replica is not the holder. */
export function createReachMetrics(registry: Registry, figures: () => ReachFigures | undefined): void {
	const registers = [registry];
	new Gauge({
		name: "waymark_reach_gaps",
		help: "Pairs of a namespace and a port of a host that its enforced policy does not allow and nothing refuses, by way",
		labelNames: ["way"],
		registers,
		collect() {
			this.reset();
			for (const [way, count] of Object.entries(figures()?.gaps ?? {})) {
				this.set({ way }, count);
			}
		},
	});
	new Gauge({
		name: "waymark_reach_policies",
		help: "AuthorizationPolicies that Waymark keeps: kept as wanted, waiting to be written, too large to be written",
		labelNames: ["state"],
		registers,
		collect() {
			this.reset();
			for (const [state, count] of Object.entries(figures()?.policies ?? {})) {
				this.set({ state }, count);
			}
		},
	});
	new Gauge({
		name: "waymark_reach_writes",
		help: "Writes of AuthorizationPolicies since this replica became the holder, by result",
		labelNames: ["result"],
		registers,
		collect() {
			this.reset();
			for (const [result, count] of Object.entries(figures()?.writes ?? {})) {
				this.set({ result }, count);
			}
		},
	});
}
