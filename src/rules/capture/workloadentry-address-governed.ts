import { quote } from "../../core/finding.ts";
import type { WorkloadEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import {
	governedBy,
	workloadAddressConfirms,
	workloadAddressReads,
	workloadOf,
} from "../../istio/capture/workload-address.ts";
import { governedBlock, takenAddress } from "./taken-address.ts";

function machine(address: string): WorkloadEntry {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "WorkloadEntry",
		metadata: { name: "machine", namespace: "team" },
		spec: { address, labels: { app: "machine" } },
	};
}

/** A WorkloadEntry has no address that an entry sends through a waypoint. */
export const workloadentryAddressGoverned: Rule<"WorkloadEntry"> = {
	id: "workloadentry-address-governed",
	kind: "WorkloadEntry",
	family: "capture",
	severity: "error",
	reads: workloadAddressReads,
	confirms: workloadAddressConfirms,
	fixable: false,
	docs: {
		summary: "A WorkloadEntry must not have an address that an entry sends through a waypoint",
		why: "For a connection to an address that a workload has, ztunnel asks the workload and no service. A WorkloadEntry of any namespace, even one that nothing selects, takes the waypoint from everybody's connections to its address.",
		fix: "Use a host name or another address, or ask the owner of the ServiceEntry to list other addresses.",
		sources: [
			"ztunnel src/state.rs: find_address",
			"istio/istio pilot/pkg/serviceregistry/ambient/workloads.go: workloadEntryWorkloadBuilder",
			"https://github.com/istio/istio/issues/59576",
		],
		since: "0.1.0",
		good: machine("198.51.100.7"),
		bad: machine("203.0.113.10"),
		given: governedBlock,
	},
	*check(entry, { namespace, name, inventory }) {
		const workload = workloadOf(entry, { namespace, name }, inventory);
		// Nothing of that kind and name is a ServiceEntry, so no entry is left out.
		const taken = workload && governedBy(workload, { namespace, name: undefined }, inventory);
		if (taken !== undefined) {
			yield takenAddress(taken, {
				path: ["spec", "address"],
				what: `Address ${quote(entry.spec?.address ?? "")}`,
				inventory,
			});
		}
	},
};
