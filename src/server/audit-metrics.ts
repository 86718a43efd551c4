import type { Registry } from "prom-client";
import { Gauge } from "prom-client";

/** What auditing has found in the cluster, counted. */
export interface AuditFigures {
	readonly objects: number;
	/** Findings by rule and severity, as `RULE SEVERITY`. */
	readonly findings: ReadonlyMap<string, number>;
	readonly hosts: Readonly<Record<string, number>>;
	readonly waitingMs: number;
	readonly isComplete: boolean;
	readonly isHolder: boolean;
	readonly reportsWaiting: number;
}

/** Registers the gauges of the auditor, which ask `figures` when they are scraped. */
export function createAuditMetrics(registry: Registry, figures: () => AuditFigures): void {
	const registers = [registry];
	new Gauge({
		name: "waymark_audit_objects",
		help: "Stored objects that the auditor has judged",
		registers,
		collect() {
			this.set(figures().objects);
		},
	});
	new Gauge({
		name: "waymark_audit_findings",
		help: "Findings on stored objects, by rule and severity",
		labelNames: ["rule", "severity"],
		registers,
		collect() {
			this.reset();
			for (const [key, count] of figures().findings) {
				const [rule = "", severity = ""] = key.split(" ");
				this.set({ rule, severity }, count);
			}
		},
	});
	new Gauge({
		name: "waymark_audit_hosts",
		help: "Hosts of external ServiceEntries, by what becomes of their connections",
		labelNames: ["state"],
		registers,
		collect() {
			for (const [state, count] of Object.entries(figures().hosts)) {
				this.set({ state }, count);
			}
		},
	});
	new Gauge({
		name: "waymark_audit_oldest_unjudged_seconds",
		help: "How long the oldest change has waited to be judged; 0 when none waits",
		registers,
		collect() {
			this.set(figures().waitingMs / 1000);
		},
	});
	new Gauge({
		name: "waymark_audit_holder",
		help: "Whether this replica holds the Lease and writes reports and Events",
		registers,
		collect() {
			this.set(figures().isHolder ? 1 : 0);
		},
	});
	new Gauge({
		name: "waymark_audit_reports_waiting",
		help: "Reports that are still to be written by this replica",
		registers,
		collect() {
			this.set(figures().reportsWaiting);
		},
	});
}
