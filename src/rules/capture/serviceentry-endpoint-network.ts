import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { localNetwork } from "../../istio/capture/workload-address.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** No endpoint is reached by way of another network's gateway. */
export const serviceentryEndpointNetwork: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-network",
	kind: "ServiceEntry",
	family: "capture",
	severity: "warning",
	reads: ["Namespace"],
	confirms: ["Namespace"],
	fixable: false,
	docs: {
		summary: "An endpoint should not be in another network than the cluster",
		why: "Proxies do not connect to an endpoint of another network: they send its traffic to that network's gateway. Whoever may write a Gateway of class istio-remote, or a Service, with the label topology.istio.io/network says where that gateway is, at any address of the internet, whatever hosts and addresses the policy allows.",
		fix: "Leave network out for an endpoint that is reached directly; let the platform team write the entries of other networks.",
		sources: [
			"istio/istio pilot/pkg/xds/endpoints/ep_filters.go: EndpointsByNetworkFilter",
			"istio/istio pilot/pkg/serviceregistry/ambient/networks.go: BuildNetworkCollections",
		],
		since: "0.1.0",
		good: withSpec(boundEntry, {
			resolution: "STATIC",
			endpoints: [{ address: "203.0.113.10" }],
		}),
		bad: withSpec(boundEntry, {
			resolution: "STATIC",
			endpoints: [{ address: "203.0.113.10", network: "elsewhere" }],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasEndpoints,
	*check(entry, { policy, inventory }) {
		if (policy.ambient !== "enforced") {
			return;
		}
		for (const [index, { network }] of specOf(entry).endpoints.entries()) {
			if (network && network !== localNetwork(inventory)) {
				yield {
					path: ["spec", "endpoints", index, "network"],
					message: `Traffic for this endpoint goes to the gateway of network ${quote(network)}, wherever its Gateway or Service says that it is, and nobody holds that to the policy`,
					hint: "Leave network out for an endpoint that is reached directly",
				};
			}
		}
	},
};
