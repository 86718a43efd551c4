import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { addressSource } from "../../istio/capture/capture.ts";
import { wantedWaypoint, wantedWaypointReads } from "../../istio/capture/owners.ts";
import { celNoAllocation, specOf } from "../../istio/entry/entry.ts";
import { hasUnusualHost } from "../../istio/entry/facts.ts";
import { isWildcard } from "../../istio/entry/hosts.ts";
import { bindingConfirms } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** A wildcard host whose traffic shall take a waypoint must have resolution DYNAMIC_DNS or listed addresses. */
export const serviceentryWildcardResolution: Rule<"ServiceEntry"> = {
	id: "serviceentry-wildcard-resolution",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: wantedWaypointReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary:
			"A wildcard host whose traffic shall take a waypoint must have resolution DYNAMIC_DNS or listed addresses",
		why: "Istio allocates an address for a wildcard only with resolution DYNAMIC_DNS. With any other, and without listed addresses, ztunnel never recognises the traffic and the waypoint never sees it, although the condition WaypointBound says True.",
		fix: "Write resolution: DYNAMIC_DNS (Istio 1.28 and later) with HTTP ports, or name the hosts one by one.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/services.go: constructServiceEntries"],
		since: "0.1.0",
		good: withSpec(boundEntry, {
			hosts: ["*.payments.example.com"],
			resolution: "DYNAMIC_DNS",
			ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
		}),
		bad: withSpec(boundEntry, { hosts: ["*.payments.example.com"], resolution: "NONE" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnusualHost,
	*check(entry, context) {
		const waypoint = wantedWaypoint(entry, context);
		if (waypoint === undefined) {
			return;
		}
		const { hosts, resolution } = specOf(entry);
		for (const [index, host] of hosts.entries()) {
			if (isWildcard(host) && addressSource(entry, host) === "none") {
				yield {
					path: ["spec", "hosts", index],
					message:
						resolution === "DYNAMIC_DNS"
							? `The wildcard ${quote(host)} gets no address, since the label networking.istio.io/enable-autoallocate-ip says false, so its traffic goes past the waypoint ${waypoint}`
							: `With resolution ${quote(resolution)} the wildcard ${quote(host)} gets no address, so its traffic goes past the waypoint ${waypoint}`,
					hint:
						resolution === "DYNAMIC_DNS"
							? "Remove the label"
							: context.inventory.mesh.istioMinor < 28
								? "Name the hosts one by one with resolution: DNS"
								: "Write resolution: DYNAMIC_DNS with HTTP ports, or name the hosts one by one",
				};
			}
		}
	},
	cel: {
		problems: [
			{
				each: ["h", "(e.target == '' || e.addresses.size() > 0 ? [] : e.hosts)"],
				when: `h.startsWith('*') && (e.resolution != 'DYNAMIC_DNS' || ${celNoAllocation})`,
				path: "spec.hosts",
				message: 'The wildcard "{h}" gets no address, so its traffic goes past the waypoint',
				hint: "Write resolution: DYNAMIC_DNS with HTTP ports, or name the hosts one by one",
			},
		],
	},
};
