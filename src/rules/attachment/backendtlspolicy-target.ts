import type { BackendTlsPolicy } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { targetingConfirms, targetingReads } from "../../istio/attachment/targets.ts";
import { sharedWaypoint, toEntry } from "./examples.ts";
import { targetProblems } from "./target-problems.ts";

function targeting(name: string): BackendTlsPolicy {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "BackendTLSPolicy",
		metadata: { name: "payments", namespace: "team" },
		spec: {
			targetRefs: [toEntry(name)],
			validation: { hostname: "api.payments.example.com", wellKnownCACertificates: "System" },
		},
	} as BackendTlsPolicy;
}

/** A BackendTLSPolicy attaches to something that a waypoint reads it for. */
export const backendtlspolicyTarget: Rule<"BackendTLSPolicy"> = {
	id: "backendtlspolicy-target",
	kind: "BackendTLSPolicy",
	family: "attachment",
	severity: "warning",
	reads: targetingReads,
	confirms: targetingConfirms,
	fixable: false,
	docs: {
		summary: "A BackendTLSPolicy should target something that is there, in its own namespace, by targetRefs",
		why: "A BackendTLSPolicy makes the waypoint originate TLS for the ServiceEntry, or the port, that it names. Where there is none of that name in its namespace, requests leave in plain text, and nothing says so.",
		fix: "Target the ServiceEntry or the Gateway by its name, and write it in the namespace of its target.",
		sources: ["istio/istio pilot/pkg/config/kube/gateway/backend_policies.go: BackendTLSPolicyCollection"],
		since: "0.1.0",
		good: targeting("payments"),
		bad: targeting("renamed"),
		given: sharedWaypoint,
	},
	*check(object, context) {
		yield* targetProblems(object, context, {
			kind: "BackendTLSPolicy",
		});
	},
};
