import { celService } from "../../core/cel.ts";
import type { Rule } from "../../core/rule.ts";
import { celEgressLabels } from "../../istio/egress/names.ts";
import { endpointEvidence } from "../../istio/egress/objects.ts";
import { egressServiceReads, egressSeverity } from "../../istio/egress/services.ts";
import { namesWorkloads } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";
import { isNamedService, noPlace } from "./cel.ts";

/** A ServiceEntry does not lead through an egress gateway where ambient is enforced. */
export const serviceentryEgressEndpoint: Rule<"ServiceEntry"> = {
	id: "serviceentry-egress-endpoint",
	kind: "ServiceEntry",
	family: "sidecar-egress",
	severity: "error",
	reads: [...egressServiceReads, "Namespace"],
	confirms: ["Service", "KubernetesGateway"],
	fixable: false,
	docs: {
		summary: "A ServiceEntry must not lead through an egress gateway where ambient is enforced",
		why: "Its endpoints or its selector send the external host to the pods of a sidecar-style egress gateway, behind the waypoint's back: the waypoint's policies see the host, the connection goes somewhere else.",
		fix: "Name the external host's own addresses, or leave the endpoints out and use resolution DNS, and bind the entry to a waypoint.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/workloads.go: serviceEntryWorkloadBuilder",
			"istio/api networking/v1alpha3/service_entry.proto: endpoints, workload_selector",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, {
			endpoints: [{ address: "istio-egressgateway.istio-system.svc.cluster.local" }],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: namesWorkloads,
	*check(entry, context) {
		for (const evidence of endpointEvidence(entry, context.namespace, context.inventory)) {
			yield {
				...evidence,
				hint: "Remove it, so that the waypoint connects to the host itself",
				...egressSeverity(context.policy),
			};
		}
	},
	cel: {
		problems: [
			{
				each: ["a", "e.gateways"],
				when: `[${celService("a")}].exists(k, k != '' && ${isNamedService("k")})`,
				path: "spec.endpoints.address",
				message: `Leads to "{a}", ${noPlace}`,
				hint: "Remove it, so that the waypoint connects to the host itself",
			},
			{
				when: `variables.ambient && ${celEgressLabels("e.selector")}`,
				path: "spec.workloadSelector.labels",
				message: `Selects the pods of ${noPlace}`,
				hint: "Remove it, so that the waypoint connects to the host itself",
			},
		],
		gap: "an address, and a gateway that only its Service gives away",
	},
};
