import { canonicalHost, covers, parseHostPattern } from "../../core/host-pattern.ts";
import type { BackendTlsPolicy } from "../../core/kinds.ts";
import { isPolicyEditor } from "../../core/policy-editors.ts";
import type { Rule } from "../../core/rule.ts";
import { targetedEntries, targetingReads } from "../../istio/attachment/targets.ts";
import { httpEntry, toEntry } from "../attachment/examples.ts";
import { egressNamespace, egressWaypoint } from "../examples.ts";
import { limitedNamespace } from "./examples.ts";
import { forbiddenHost, limitsHosts } from "./limits.ts";

function securing(hostname: string): BackendTlsPolicy {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "BackendTLSPolicy",
		metadata: { name: "payments", namespace: "team" },
		spec: { targetRefs: [toEntry("payments")], validation: { hostname, wellKnownCACertificates: "System" } },
	};
}

/** A BackendTLSPolicy asks the server for no host that its namespace may not reach. */
export const backendtlspolicyPolicyHostname: Rule<"BackendTLSPolicy"> = {
	id: "backendtlspolicy-policy-hostname",
	kind: "BackendTLSPolicy",
	family: "policy",
	severity: "error",
	reads: targetingReads,
	confirms: ["ServiceEntry", "Service", "Namespace"],
	fixable: false,
	docs: {
		summary: "A BackendTLSPolicy for a ServiceEntry must not name a host that its namespace may not reach",
		why: "A waypoint sends validation.hostname as SNI, and that decides which of the hosts behind an address answers. A foreign name reaches a host that the policy forbids.",
		fix: "Write the host of the entry.",
		sources: [
			"istio/istio pilot/pkg/config/kube/gateway/backend_policies.go: BackendTLSPolicyCollection",
			"docs/policies.md",
		],
		since: "0.1.0",
		good: securing("api.payments.example.com"),
		bad: securing("files.example.org"),
		given: [limitedNamespace, egressNamespace, egressWaypoint, httpEntry],
	},
	when: limitsHosts,
	*check(policy, context) {
		const hostname = policy.spec?.validation?.hostname ?? "";
		if (hostname === "" || isPolicyEditor(context.requester, context.inventory.settings)) {
			return;
		}
		for (const { entry } of targetedEntries(policy, context)) {
			const isOwn = (entry.spec?.hosts ?? []).some((host) => {
				const pattern = parseHostPattern(host);
				return (
					canonicalHost(host) === canonicalHost(hostname) ||
					(pattern !== undefined && covers(pattern, hostname))
				);
			});
			if (!isOwn) {
				yield* forbiddenHost(
					"SNI",
					canonicalHost(hostname),
					["spec", "validation", "hostname"],
					context.policy,
				);
				return;
			}
		}
	},
};
