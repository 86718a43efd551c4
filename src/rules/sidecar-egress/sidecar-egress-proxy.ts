import type { Rule } from "../../core/rule.ts";
import { proxyEvidence } from "../../istio/egress/objects.ts";
import { egressServiceReads, egressSeverity, insteadHint } from "../../istio/egress/services.ts";
import { egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";
import { leadsToGateway } from "./cel.ts";

const plain = {
	apiVersion: "networking.istio.io/v1",
	kind: "Sidecar",
	metadata: { name: "default", namespace: "team" },
};

/** A Sidecar does not send unknown traffic to an egress gateway where ambient is enforced. */
export const sidecarEgressProxy: Rule<"Sidecar"> = {
	id: "sidecar-egress-proxy",
	kind: "Sidecar",
	family: "sidecar-egress",
	severity: "error",
	reads: [...egressServiceReads, "Namespace"],
	confirms: ["Service", "KubernetesGateway"],
	fixable: false,
	docs: {
		summary: "A Sidecar must not send unknown traffic to an egress gateway where ambient is enforced",
		why: "Nothing in ambient reads a Sidecar: what it sends to the egress gateway today goes straight to the internet the moment the sidecar is gone, and no error says so.",
		fix: "Register the hosts with ServiceEntries bound to a waypoint, block the rest with a NetworkPolicy or at the firewall, and remove the egressProxy.",
		sources: [
			"istio/istio pilot/pkg/networking/core/listener_builder.go: EgressProxy",
			"istio/istio pkg/config/analysis/msg/messages.yaml: IST0167 IneffectivePolicy",
		],
		since: "0.1.0",
		good: { ...plain, spec: { egress: [{ hosts: ["./*", "istio-system/*"] }] } },
		bad: {
			...plain,
			spec: {
				outboundTrafficPolicy: {
					mode: "ALLOW_ANY",
					egressProxy: {
						host: "istio-egressgateway.istio-system.svc.cluster.local",
						port: { number: 443 },
					},
				},
			},
		},
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	*check(sidecar, context) {
		for (const evidence of proxyEvidence(sidecar, context.namespace, context.inventory)) {
			yield {
				...evidence,
				hint: insteadHint(context, "Remove the egressProxy"),
				...egressSeverity(context.policy),
			};
		}
	},
	cel: leadsToGateway(
		"spec.outboundTrafficPolicy.egressProxy.host",
		"Sends unknown traffic to",
		"Remove the egressProxy",
	),
};
