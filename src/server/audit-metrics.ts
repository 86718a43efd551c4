import type { Registry } from "prom-client";
import { Gauge } from "prom-client";

/** What auditing has found in the cluster, counted. */
export interface AuditFigures {
	readonly objects: number;
	/** Findings by rule and severity, as `RULE SEVERITY`. */
	readonly findings: ReadonlyMap<string, number>;
	readonly hosts: Readonly<Record<string, number>>;
	/** Waypoints that entries ask for and are reached past. */
	readonly lostWaypoints: number;
	/** Exemptions by how long they still hold. */
	readonly exemptions: Readonly<Record<string, number>>;
	/** Findings by severity in each namespace that the configuration wants told apart. */
	readonly namespaces: ReadonlyMap<string, Readonly<Record<string, number>>>;
	/** Entries that backfilling has bound and is still to bind, and whether a surprise has ended it. */
	readonly backfill: { readonly pending: number; readonly bound: number; readonly state: string } | undefined;
	readonly waitingMs: number;
	readonly isComplete: boolean;
	readonly isHolder: boolean;
	readonly reportsWaiting: number;
}

/** Registers the gauges of the auditor, which ask `figures` when they are scraped. */
export function createAuditMetrics(registry: Registry, count: () => AuditFigures): void {
	const figures = once(count);
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
		name: "waymark_audit_lost_waypoints",
		help: "Waypoints that ServiceEntries ask for while their hosts are reached past them",
		registers,
		collect() {
			this.set(figures().lostWaypoints);
		},
	});
	new Gauge({
		name: "waymark_audit_exemptions",
		help: "Exemptions of namespaces from rules, by how long they still hold; each counts once",
		labelNames: ["left"],
		registers,
		collect() {
			for (const [left, count] of Object.entries(figures().exemptions)) {
				this.set({ left }, count);
			}
		},
	});
	new Gauge({
		name: "waymark_audit_namespace_findings",
		help: "Findings on stored objects of the namespaces in metrics.namespaces, by severity",
		labelNames: ["namespace", "severity"],
		registers,
		collect() {
			this.reset();
			for (const [namespace, counts] of figures().namespaces) {
				for (const [severity, count] of Object.entries(counts)) {
					this.set({ namespace, severity }, count);
				}
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
		name: "waymark_backfill_entries",
		help: "Stored ServiceEntries that the policy binds when they are written: still to bind, and bound by this replica",
		labelNames: ["state"],
		registers,
		collect() {
			const { backfill } = figures();
			this.set({ state: "pending" }, backfill?.pending ?? 0);
			this.set({ state: "bound" }, backfill?.bound ?? 0);
		},
	});
	new Gauge({
		name: "waymark_backfill_halted",
		help: "Whether backfilling has stopped at a surprise; 1 until this replica is started anew",
		registers,
		collect() {
			this.set(figures().backfill?.state === "halted" ? 1 : 0);
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

/** All gauges of one scrape show the same moment, and everything is counted once for it. */
function once(count: () => AuditFigures): () => AuditFigures {
	let known: AuditFigures | undefined;
	return () => {
		if (known === undefined) {
			known = count();
			setImmediate(() => {
				known = undefined;
			});
		}
		return known;
	};
}
