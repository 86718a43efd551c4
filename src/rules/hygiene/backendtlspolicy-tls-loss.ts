import type { Problem } from "../../core/finding.ts";
import type { BackendTlsPolicy } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { targetedEntries, targetingConfirms, targetingReads } from "../../istio/attachment/targets.ts";
import { httpEntry, toEntry } from "../attachment/examples.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";
import { tlsLossProblems } from "./tls-loss.ts";

function securing(sectionName: string): BackendTlsPolicy {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "BackendTLSPolicy",
		metadata: { name: "payments", namespace: "team" },
		spec: {
			targetRefs: [{ ...toEntry("payments"), sectionName }],
			validation: { hostname: "api.payments.example.com", wellKnownCACertificates: "System" },
		},
	};
}

/** A change of a BackendTLSPolicy takes TLS from no entry that a waypoint reaches by it. */
export const backendtlspolicyTlsLoss: Rule<"BackendTLSPolicy"> = {
	id: "backendtlspolicy-tls-loss",
	kind: "BackendTLSPolicy",
	family: "hygiene",
	severity: "warning",
	reads: [...targetingReads, "DestinationRule", "BackendTLSPolicy"],
	confirms: targetingConfirms.filter((kind) => !kind.startsWith("Gateway") && kind !== "KubernetesGateway"),
	fixable: false,
	docs: {
		summary: "A change of a BackendTLSPolicy should not take TLS from what leaves a waypoint",
		why: "Where a waypoint originates TLS, clients send plain HTTP and rely on it. When the policy no longer targets the entry or its port, the waypoint sends the same requests in plain text through the internet, and Istio says nothing.",
		fix: "Keep the target, or write a DestinationRule with tls mode SIMPLE for the port first.",
		sources: ["istio/istio pilot/pkg/config/kube/gateway/backend_policies.go: DestinationRuleCollection"],
		since: "0.1.0",
		good: securing("http"),
		bad: securing("other"),
		old: securing("http"),
		given: [teamNamespace, egressNamespace, egressWaypoint, httpEntry, securing("http")],
	},
	*check(policy, context) {
		const old = context.old as BackendTlsPolicy | undefined;
		if (old !== undefined) {
			yield* problems(old, policy, context);
		}
	},
	*onDelete(policy, context) {
		yield* problems(policy, undefined, context);
	},
};

function problems(
	old: BackendTlsPolicy,
	object: BackendTlsPolicy | undefined,
	context: RuleContext,
): Iterable<Problem> {
	const { namespace, name, inventory } = context;
	const change = { kind: "BackendTLSPolicy" as const, namespace, name: name ?? "", object };
	return tlsLossProblems(targetedEntries(old, context), old, change, inventory, ["spec", "targetRefs"]);
}
