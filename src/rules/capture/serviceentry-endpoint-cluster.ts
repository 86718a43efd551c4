import { parseAddressRange } from "../../core/address-range.ts";
import { mention, quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { egressServiceReads, isEgressService } from "../../istio/egress/services.ts";
import { isClusterHost } from "../../istio/entry/cluster-hosts.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasEndpoints, isExternal } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** The endpoints of an external entry must not lead back into the cluster. */
export const serviceentryEndpointCluster: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-cluster",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: egressServiceReads,
	confirms: ["Service", "KubernetesGateway"],
	fixable: false,
	docs: {
		summary: "The endpoints of an external entry must not lead back into the cluster",
		why: "An entry that stands for an external host and sends its traffic to a Service reroutes every client of the mesh there. That is how sidecar-style egress gateways, and attacks on other teams' traffic, are built; the waypoint's policies are written for the host and not for what really answers.",
		fix: "Remove the endpoints, so that DNS finds the host, or call the Service by its own name.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/workloads.go: serviceEntryWorkloadBuilder"],
		since: "0.1.0",
		good: withSpec(boundEntry, { endpoints: [{ address: "eu.payments.example.com" }] }),
		bad: withSpec(boundEntry, { endpoints: [{ address: "proxy.other.svc.cluster.local" }] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasEndpoints,
	*check(entry, context) {
		if (!isExternal(entry)) {
			return;
		}
		for (const [index, { address }] of specOf(entry).endpoints.entries()) {
			const target = address ?? "";
			// Another rule speaks of egress gateways.
			if (target === "" || isEgressService(target, context.namespace, context.inventory)) {
				continue;
			}
			const path = ["spec", "endpoints", index, "address"];
			const [service] = target === "None" ? [] : context.inventory.lookup("serviceByAddress", target);
			if (service !== undefined) {
				const { namespace, name } = service.metadata ?? {};
				yield {
					path,
					message: `${quote(target)} is the address of the Service ${mention(`${namespace ?? ""}/${name ?? ""}`)}, so traffic for an external host goes back into the cluster`,
					hint: "Remove the endpoint, or call the Service by its own name",
				};
			} else if (
				!target.startsWith("unix://") &&
				parseAddressRange(target) === undefined &&
				isClusterHost(target, context.inventory)
			) {
				yield {
					path,
					message: `${quote(target)} is a name of the cluster, so traffic for an external host goes back into it`,
					hint: "Remove the endpoint, or call the Service by its own name",
				};
			}
		}
	},
};
