import { Counter, Histogram, Registry } from "prom-client";
import type { Verdict } from "../core/evaluate.ts";

/** What the webhook counts; every label has values that we choose, never the user. */
export interface Metrics {
	readonly registry: Registry;
	readonly duration: Histogram<"webhook" | "decision">;
	readonly findings: Counter<"rule" | "severity" | "mode">;
	readonly faults: Counter<"rule">;
	readonly rejected: Counter<"code">;
	readonly confirmations: Counter<"result">;
	readonly configReloads: Counter<"result">;
}

/** Makes the metrics of one server; nothing is global. */
export function createMetrics(): Metrics {
	const registry = new Registry();
	const registers = [registry];
	return {
		registry,
		duration: new Histogram({
			name: "waymark_admission_duration_seconds",
			help: "Time to answer an admission review, by webhook and decision",
			labelNames: ["webhook", "decision"],
			buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
			registers,
		}),
		findings: new Counter({
			name: "waymark_findings_total",
			help: "Findings at admission, by rule, severity and mode of the namespace",
			labelNames: ["rule", "severity", "mode"],
			registers,
		}),
		faults: new Counter({
			name: "waymark_rule_faults_total",
			help: "Rules that failed on an object; the request was judged by the others",
			labelNames: ["rule"],
			registers,
		}),
		rejected: new Counter({
			name: "waymark_http_rejected_total",
			help: "Requests that were no readable review, by HTTP status",
			labelNames: ["code"],
			registers,
		}),
		confirmations: new Counter({
			name: "waymark_confirmations_total",
			help: "Direct reads of objects that a denial missed, by result",
			labelNames: ["result"],
			registers,
		}),
		configReloads: new Counter({
			name: "waymark_config_reloads_total",
			help: "Reloads of the cluster configuration, by result",
			labelNames: ["result"],
			registers,
		}),
	};
}

/** Counts what a verdict found. */
export function countVerdict(metrics: Metrics, verdict: Verdict): void {
	for (const finding of verdict.findings) {
		metrics.findings.inc({ rule: finding.rule, severity: finding.severity, mode: verdict.mode });
	}
	for (const fault of verdict.faults) {
		metrics.faults.inc({ rule: fault.rule });
	}
}
