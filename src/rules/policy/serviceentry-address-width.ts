import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { readAsIstiod } from "../../istio/capture/capture.ts";
import { isAmbient } from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasAddresses } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** The shortest prefix that is a network of somebody's: IPv4 /8, IPv6 /16. */
const shortest = { 4: 8, 6: 16 } as const;

/** A block of addresses is not a good part of the whole internet. */
export const serviceentryAddressWidth: Rule<"ServiceEntry"> = {
	id: "serviceentry-address-width",
	kind: "ServiceEntry",
	family: "policy",
	severity: "error",
	reads: ["Namespace"],
	fixable: false,
	docs: {
		summary: "A block of addresses must not be wider than /8, or /16 of IPv6",
		why: "ztunnel captures by address: a block such as 0.0.0.0/0 or its two halves takes the connections of every pod to every address that no narrower entry has, whatever host they were meant for, and lists of hosts no longer say what is reached.",
		fix: "List the networks that the host really has, none wider than /8, or /16 of IPv6.",
		sources: ["ztunnel src/state/service.rs", "docs/policies.md"],
		since: "0.1.0",
		good: withSpec(boundEntry, { resolution: "NONE", addresses: ["203.0.113.0/24"] }),
		bad: withSpec(boundEntry, { resolution: "NONE", addresses: ["0.0.0.0/1", "128.0.0.0/1"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasAddresses,
	*check(entry, context) {
		if (!isAmbient(context)) {
			return;
		}
		for (const [index, address] of specOf(entry).addresses.entries()) {
			const range = readAsIstiod(address);
			const least = range === undefined ? 0 : shortest[range.family];
			if (range !== undefined && range.prefix < least) {
				yield {
					path: ["spec", "addresses", index],
					message: `${quote(address)} is wider than /${least}, so connections of every pod to a good part of all addresses would be this entry's`,
					hint: "List the networks that the host really has",
				};
			}
		}
	},
};
