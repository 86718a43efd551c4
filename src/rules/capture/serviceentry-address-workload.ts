import { rangeContains } from "../../core/address-range.ts";
import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { readAsIstiod, whyIgnored } from "../../istio/capture/capture.ts";
import { wantedWaypoint, wantedWaypointReads } from "../../istio/capture/owners.ts";
import type { WorkloadAddress } from "../../istio/capture/workload-address.ts";
import {
	formatWorkload,
	workloadAddressConfirms,
	workloadAddressReads,
	workloadsOfEntry,
	workloadsWithin,
} from "../../istio/capture/workload-address.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasAddresses } from "../../istio/entry/facts.ts";
import { bindingConfirms } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** The first workload with one of the addresses and another waypoint than the entry's, or none. */
function workloadAt(
	address: string,
	waypoint: string,
	own: readonly WorkloadAddress[],
	{ namespace, name, inventory }: RuleContext,
): WorkloadAddress | undefined {
	const range = readAsIstiod(address);
	if (range === undefined) {
		return undefined;
	}
	const isPast = (each: WorkloadAddress): boolean => each.waypoint !== waypoint;
	const found = own.find((each) => isPast(each) && rangeContains(range, each.address));
	if (found !== undefined) {
		return found;
	}
	for (const each of workloadsWithin(range, { namespace, name }, inventory)) {
		if (isPast(each)) {
			return each;
		}
	}
	return undefined;
}

/** The addresses that an entry sends through a waypoint are no workload's. */
export const serviceentryAddressWorkload: Rule<"ServiceEntry"> = {
	id: "serviceentry-address-workload",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: [...new Set([...wantedWaypointReads, ...workloadAddressReads])],
	confirms: [...new Set([...bindingConfirms, ...workloadAddressConfirms])],
	fixable: false,
	docs: {
		summary: "An address that an entry sends through a waypoint must not be a workload's as well",
		why: "Istio makes a workload of every endpoint of a ServiceEntry and of every WorkloadEntry, in any namespace. For a connection to an address that a workload has, ztunnel asks the workload and not the service, so the waypoint of the service is passed by, and the entry says WaypointBound all the while. The usual case is a database whose one address stands under addresses and under endpoints. Pods are workloads as well; Waymark does not look at them.",
		fix: "Leave addresses out where clients use the name. Where they use the address, write resolution NONE without endpoints.",
		sources: [
			"ztunnel src/state.rs: find_address",
			"istio/istio pilot/pkg/serviceregistry/ambient/workloads.go: serviceEntryWorkloadBuilder",
			"https://github.com/istio/istio/issues/59576",
		],
		since: "0.1.0",
		good: withSpec(boundEntry, { resolution: "NONE", addresses: ["203.0.113.10"] }),
		bad: withSpec(boundEntry, {
			resolution: "STATIC",
			addresses: ["203.0.113.10"],
			endpoints: [{ address: "203.0.113.10" }],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasAddresses,
	*check(entry, context) {
		const { namespace, name, inventory, policy } = context;
		const waypoint = wantedWaypoint(entry, context);
		if (waypoint === undefined || whyIgnored(entry, namespace, inventory) !== undefined) {
			return;
		}
		const own = [...workloadsOfEntry(entry, { namespace, name }, inventory)];
		for (const [index, address] of specOf(entry).addresses.entries()) {
			const workload = workloadAt(address, waypoint, own, context);
			if (workload !== undefined) {
				yield {
					path: ["spec", "addresses", index],
					message: `${quote(workload.address.text)} is also the address of ${own.includes(workload) ? "an endpoint of this entry" : formatWorkload(workload)}, so connections to it go past ${waypoint}`,
					hint: hintFor(entry, own.includes(workload)),
					...(policy.ambient === "enforced" ? {} : { severity: "warning" as const }),
				};
			}
		}
	},
};

function hintFor(entry: ServiceEntry, isOwn: boolean): string {
	return isOwn
		? "Leave addresses out where clients use the name; where they use the address, write resolution NONE without endpoints"
		: `List no address that another object has${specOf(entry).resolution === "NONE" ? "" : ", or leave addresses out"}`;
}
