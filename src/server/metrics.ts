import { Counter, Registry } from "prom-client";
import type { Verdict } from "../core/evaluate.ts";
import type { Durations } from "./duration-metrics.ts";
import { createDurations } from "./duration-metrics.ts";

/** What the webhook counts; every label has values that we choose, never the user. */
export interface Metrics {
	readonly registry: Registry;
	readonly durations: Durations;
	readonly findings: Counter<"rule" | "severity" | "mode">;
	readonly faults: Counter<"rule">;
	readonly rejected: Counter<"code">;
	readonly confirmations: Counter<"result">;
	readonly cutVerdicts: Counter;
	readonly staleVerdicts: Counter;
	readonly unjudged: Counter<"answer">;
	readonly configReloads: Counter<"result">;
}

/** Makes the metrics of one server; nothing is global. */
export function createMetrics(): Metrics {
	const registry = new Registry();
	const registers = [registry];
	return {
		registry,
		durations: createDurations(registry),
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
			help: "Direct reads of objects that a verdict rests on, by result",
			labelNames: ["result"],
			registers,
		}),
		cutVerdicts: new Counter({
			name: "waymark_cut_verdicts_total",
			help: "Verdicts that were ended because judging took more than half a second of processor time",
			registers,
		}),
		staleVerdicts: new Counter({
			name: "waymark_stale_verdicts_total",
			help: "Verdicts by a cluster state that was not watched and that the API server did not confirm",
			registers,
		}),
		unjudged: new Counter({
			name: "waymark_unjudged_total",
			help: "Reviews of a namespace that was unknown while the API server did not answer, by our answer",
			labelNames: ["answer"],
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
	if (verdict.isCut === true) {
		metrics.cutVerdicts.inc();
	}
}
