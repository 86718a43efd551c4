import type { Rule } from "../../core/rule.ts";
import { asmEvidence } from "../../istio/egress/objects.ts";
import { egressSeverity, insteadHint } from "../../istio/egress/services.ts";
import { egressWaypoint, teamNamespace } from "../examples.ts";
import { instead, noPlace } from "./cel.ts";

const policy = {
	apiVersion: "istio.alibabacloud.com/v1beta1",
	kind: "ASMEgressTrafficPolicy",
	metadata: { name: "egress-by-egressgateway", namespace: "istio-egress" },
};

/** An ASMEgressTrafficPolicy does not make an egress gateway the way out where ambient is enforced. */
export const asmegresstrafficpolicyEgressGateway: Rule<"ASMEgressTrafficPolicy"> = {
	id: "asmegresstrafficpolicy-egress-gateway",
	kind: "ASMEgressTrafficPolicy",
	family: "sidecar-egress",
	severity: "error",
	reads: ["Namespace"],
	fixable: false,
	docs: {
		summary:
			"An ASMEgressTrafficPolicy must not make an egress gateway the way out where ambient is enforced",
		why: "Alibaba Cloud Service Mesh makes a Gateway, VirtualService, DestinationRule and Sidecar of it, all of which only sidecars obey. Ambient pods go past the gateway.",
		fix: "Write a ServiceEntry for each host, bound to a waypoint, and an AuthorizationPolicy for who may use it; `waymark migrate` writes both.",
		sources: [
			"Alibaba Cloud Service Mesh docs: ASMEgressTrafficPolicy CRD",
			"Alibaba Cloud Service Mesh docs: egress traffic in ambient mode",
		],
		since: "0.1.0",
		good: { ...policy, spec: {} },
		bad: {
			...policy,
			spec: {
				byEgressGateway: { name: "egressgateway", port: 80 },
				egressRules: [
					{
						name: "payments",
						from: [{ namespace: "team" }],
						to: [
							{
								name: "payments",
								hosts: ["api.payments.example.com"],
								port: { number: 443, name: "tls", protocol: "TLS" },
							},
						],
					},
				],
			},
		},
		given: [
			{ ...teamNamespace, metadata: { ...teamNamespace.metadata, name: "istio-egress" } },
			egressWaypoint,
		],
	},
	*check(object, context) {
		for (const evidence of asmEvidence(object)) {
			yield {
				...evidence,
				hint: insteadHint(context, "Delete this policy"),
				...egressSeverity(context.policy),
			};
		}
	},
	cel: {
		problems: [
			{
				each: ["h", "e.hosts"],
				when: "true",
				path: "spec",
				message: `Makes "{h}" the way out, ${noPlace}`,
				hint: `Delete this policy; ${instead}`,
			},
		],
	},
};
