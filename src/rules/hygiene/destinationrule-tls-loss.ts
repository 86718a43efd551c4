import type { Problem } from "../../core/finding.ts";
import type { DestinationRule } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { targetingConfirms, targetingReads } from "../../istio/attachment/targets.ts";
import { entriesOfHost } from "../../istio/capture/tls-loss.ts";
import { httpEntry } from "../attachment/examples.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";
import { tlsLossProblems } from "./tls-loss.ts";

function originating(mode: string): DestinationRule {
	const certificate = mode === "MUTUAL" ? { credentialName: "payments-client" } : {};
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "DestinationRule",
		metadata: { name: "payments", namespace: "team" },
		spec: {
			host: "api.payments.example.com",
			trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, tls: { mode, ...certificate } }] },
		},
	};
}

/** A change of a DestinationRule takes TLS from no host that a waypoint reaches by it. */
export const destinationruleTlsLoss: Rule<"DestinationRule"> = {
	id: "destinationrule-tls-loss",
	kind: "DestinationRule",
	family: "hygiene",
	severity: "warning",
	reads: [...targetingReads, "DestinationRule", "BackendTLSPolicy"],
	confirms: targetingConfirms.filter((kind) => kind === "Service" || kind === "Namespace"),
	fixable: false,
	docs: {
		summary: "A change of a DestinationRule should not take TLS from what leaves a waypoint",
		why: "Where a waypoint originates TLS, clients send plain HTTP and rely on it. With mode DISABLE or ISTIO_MUTUAL, with a workloadSelector, or without the rule, the waypoint sends the same requests in plain text through the internet, and Istio says nothing.",
		fix: "Keep mode SIMPLE or MUTUAL for the port; let the clients speak TLS on a port of their own before it goes.",
		sources: [
			"istio/istio pilot/pkg/networking/core/cluster_waypoint.go: buildWaypointTLSContext",
			"istio/istio pilot/pkg/model/push_context.go: destinationRule",
		],
		since: "0.1.0",
		good: originating("MUTUAL"),
		bad: originating("DISABLE"),
		old: originating("SIMPLE"),
		given: [teamNamespace, egressNamespace, egressWaypoint, httpEntry, originating("SIMPLE")],
	},
	*check(rule, context) {
		const old = context.old as DestinationRule | undefined;
		yield* problems(rule, old, rule, context);
	},
	*onDelete(rule, context) {
		yield* problems(rule, rule, undefined, context);
	},
};

function* problems(
	{ spec }: DestinationRule,
	old: DestinationRule | undefined,
	object: DestinationRule | undefined,
	{ namespace, name, inventory }: RuleContext,
): Iterable<Problem> {
	const hosts = new Set([spec?.host ?? "", old?.spec?.host ?? spec?.host ?? ""]);
	const change = { kind: "DestinationRule" as const, namespace, name: name ?? "", object };
	for (const host of hosts) {
		yield* tlsLossProblems(entriesOfHost(host, inventory), old, change, inventory, ["spec"]);
	}
}
