import { parseAddressRange, rangesOverlap } from "../core/address-range.ts";
import { quote } from "../core/finding.ts";
import type { Rule } from "../core/rule.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../istio/examples.ts";
import { isPlainEntry } from "../istio/plain-entry.ts";

/** The addresses and endpoints of a ServiceEntry stay out of the ranges that the cluster denies. */
export const serviceentryPolicyAddress: Rule<"ServiceEntry"> = {
	id: "serviceentry-policy-address",
	kind: "ServiceEntry",
	family: "policy",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "No address of a ServiceEntry may lie in a range that the cluster denies",
		why: "ztunnel captures by address: an entry that names the address of a cloud's metadata service, of the loopback, or of Istio's own allocation range redirects traffic that was never its own. IPv4 addresses written as IPv6 are compared as the IPv4 addresses that they reach.",
		fix: "Remove the address. Denied ranges are limits.deniedAddresses in the cluster configuration.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/services.go: constructServiceEntries",
			"istio/istio pilot/pkg/controllers/ipallocate/ipallocate.go",
			"RFC 3927 (link-local), RFC 4291 (IPv6 addressing)",
		],
		since: "0.1.0",
		good: withSpec(boundEntry, { addresses: ["203.0.113.10"] }),
		bad: withSpec(boundEntry, {
			addresses: ["::ffff:169.254.169.254"],
			resolution: "STATIC",
			endpoints: [{ address: "127.0.0.1" }],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	silentIf: isPlainEntry,
	*check(entry, context) {
		const denied = context.inventory.settings.limits.deniedAddresses;
		const places = [
			...(entry.spec?.addresses ?? []).map((text, index) => ({ text, path: ["spec", "addresses", index] })),
			...(entry.spec?.endpoints ?? []).map((endpoint, index) => ({
				text: endpoint.address ?? "",
				path: ["spec", "endpoints", index, "address"],
			})),
		];
		for (const { text, path } of places) {
			const range = parseAddressRange(text);
			const hit = range && denied.find((each) => rangesOverlap(each, range));
			if (hit !== undefined) {
				yield {
					path,
					message: `Address ${quote(text)} lies in ${hit.text}, which the cluster denies`,
					hint: "Remove the address; the denied ranges are limits.deniedAddresses of the cluster configuration",
				};
			}
		}
	},
};
