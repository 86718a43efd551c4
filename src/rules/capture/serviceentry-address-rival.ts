import { mention, quote } from "../../core/finding.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import type { Overlap } from "../../istio/capture/address-overlap.ts";
import { overlapsOf } from "../../istio/capture/address-overlap.ts";
import { readAsIstiod } from "../../istio/capture/capture.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasAddresses } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** Where another entry lists exactly the same addresses, however they are written. */
function firstOther(
	address: string,
	{ namespace, name, inventory }: RuleContext,
): Overlap["objectName"] | undefined {
	const range = readAsIstiod(address);
	if (range === undefined) {
		return undefined;
	}
	for (const { range: met, objectName } of overlapsOf(range, { namespace, name }, inventory)) {
		if (met.prefix === range.prefix) {
			return objectName;
		}
	}
	return undefined;
}

/** No two entries should list the same address. */
export const serviceentryAddressRival: Rule<"ServiceEntry"> = {
	id: "serviceentry-address-rival",
	kind: "ServiceEntry",
	family: "capture",
	severity: "warning",
	reads: ["ServiceEntry"],
	fixable: false,
	docs: {
		summary: "No two entries should list the same address",
		why: "ztunnel and the waypoint know a connection by its address alone. Of two entries with the same address only one gets the traffic: that of the client's own namespace, and at a waypoint the first. The other one's ports and policies never apply.",
		fix: "Write one entry with all ports, or list the address once.",
		sources: [
			"ztunnel src/state.rs",
			"istio/istio pilot/pkg/networking/core/listener_waypoint.go: buildWaypointInternal",
		],
		since: "0.1.0",
		good: withSpec(boundEntry, { addresses: ["203.0.113.10"] }),
		bad: withSpec(boundEntry, { hosts: ["b.example.com"], addresses: ["203.0.113.99"] }),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			{
				...withSpec(boundEntry, { hosts: ["a.example.com"], addresses: ["203.0.113.99"] }),
				metadata: { name: "first", namespace: "team" },
			},
		],
	},
	when: hasAddresses,
	*check(entry, context) {
		for (const [index, address] of specOf(entry).addresses.entries()) {
			const other = firstOther(address, context);
			if (other !== undefined) {
				yield {
					path: ["spec", "addresses", index],
					message: `${quote(address)} is listed by ServiceEntry ${mention(`${other.namespace}/${other.name}`)} too, and only one of them gets its traffic`,
					hint: "Write one ServiceEntry with all ports, or list the address once",
				};
			}
		}
	},
};
