import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import {
	governedBy,
	workloadAddressConfirms,
	workloadAddressReads,
	workloadsOfEntry,
} from "../../istio/capture/workload-address.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import { boundEntry, withSpec } from "../examples.ts";
import { governedBlock, takenAddress } from "./taken-address.ts";

/** An endpoint has no address that another entry sends through a waypoint. */
export const serviceentryEndpointGoverned: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-governed",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: workloadAddressReads,
	confirms: workloadAddressConfirms,
	fixable: false,
	docs: {
		summary: "An endpoint must not have an address that another entry sends through a waypoint",
		why: "Istio makes a workload of every endpoint. For a connection to an address that a workload has, ztunnel asks the workload and no service, so whoever lists the address of another namespace's entry as an endpoint takes the waypoint from everybody's connections to it.",
		fix: "Name the endpoint by a host name, or ask the owner of the other entry to list other addresses.",
		sources: [
			"ztunnel src/state.rs: find_address",
			"istio/istio pilot/pkg/serviceregistry/ambient/workloads.go: serviceEntryWorkloadBuilder",
			"https://github.com/istio/istio/issues/59576",
		],
		since: "0.1.0",
		good: withSpec(boundEntry, { resolution: "STATIC", endpoints: [{ address: "198.51.100.7" }] }),
		bad: withSpec(boundEntry, { resolution: "STATIC", endpoints: [{ address: "203.0.113.10" }] }),
		given: governedBlock,
	},
	when: hasEndpoints,
	*check(entry, { namespace, name, inventory }) {
		for (const workload of workloadsOfEntry(entry, { namespace, name }, inventory)) {
			const taken = governedBy(workload, { namespace, name }, inventory);
			if (taken !== undefined) {
				yield takenAddress(taken, {
					path: ["spec", "endpoints", workload.index, "address"],
					what: `Endpoint ${quote(workload.address.text)}`,
					inventory,
				});
			}
		}
	},
};
