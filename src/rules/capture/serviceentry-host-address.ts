import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { addressSource } from "../../istio/capture/capture.ts";
import { wantedWaypoint, wantedWaypointReads } from "../../istio/capture/owners.ts";
import { celNoAllocation, specOf } from "../../istio/entry/entry.ts";
import { getsNoAddress } from "../../istio/entry/facts.ts";
import { isWildcard } from "../../istio/entry/hosts.ts";
import { bindingConfirms } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

const allocationLabel = "networking.istio.io/enable-autoallocate-ip";

/** A host whose traffic shall take a waypoint must have an address that ztunnel can know it by. */
export const serviceentryHostAddress: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-address",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: wantedWaypointReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "A host whose traffic shall take a waypoint must have an address that ztunnel can know it by",
		why: "ztunnel finds out by the destination's address which host a connection is for. With resolution NONE, which holds where none is written, Istio allocates no address, so nothing ever matches: the condition WaypointBound says True, and the traffic leaves the cluster past the waypoint.",
		fix: "Write resolution: DNS, so that Istio allocates an address for each host, or list the addresses that clients connect to.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/services.go: constructServiceEntries",
			"istio/istio pilot/pkg/networking/serviceentry/ip_autoallocation.go",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { resolution: "NONE" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: getsNoAddress,
	*check(entry, context) {
		const waypoint = wantedWaypoint(entry, context);
		const host = specOf(entry).hosts.find(
			(each) => !isWildcard(each) && addressSource(entry, each) === "none",
		);
		if (waypoint === undefined || host === undefined) {
			return;
		}
		if (specOf(entry).resolution === "NONE") {
			const written = entry.spec?.resolution === "NONE" ? "" : ", which holds where none is written";
			yield {
				path: ["spec", "resolution"],
				message: `With resolution NONE${written}, ${quote(host)} gets no address and none is listed, so its traffic goes past the waypoint ${waypoint}`,
				hint: "Write resolution: DNS, so that Istio allocates an address, or list addresses",
			};
		} else {
			yield {
				path: ["metadata", "labels", allocationLabel],
				message: `The label ${allocationLabel}: false keeps Istio from giving ${quote(host)} an address and none is listed, so its traffic goes past the waypoint ${waypoint}`,
				hint: "Remove the label, or list addresses",
			};
		}
	},
	cel: {
		problems: [
			{
				when: `e.target != '' && e.addresses.size() == 0 && e.resolution == 'NONE' &&
  e.hosts.exists(h, !h.startsWith('*'))`,
				path: "spec.resolution",
				message: `With resolution NONE hosts get no address and none is listed, so their traffic goes past the waypoint`,
				hint: "Write resolution: DNS, so that Istio allocates an address, or list addresses",
			},
			{
				when: `e.target != '' && e.addresses.size() == 0 && e.resolution != 'NONE' && ${celNoAllocation} &&
  e.hosts.exists(h, !h.startsWith('*'))`,
				path: `metadata.labels["${allocationLabel}"]`,
				message: `The label ${allocationLabel}: false keeps Istio from giving hosts an address and none is listed, so their traffic goes past the waypoint`,
				hint: "Remove the label, or list addresses",
			},
		],
	},
};
