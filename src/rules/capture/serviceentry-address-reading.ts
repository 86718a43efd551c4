import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { whyIgnored } from "../../istio/capture/capture.ts";
import { asIstiodReads, isIPSubnet } from "../../istio/entry/addresses.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasAddresses } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** Every listed address must be one that istiod reads as it is written. */
export const serviceentryAddressReading: Rule<"ServiceEntry"> = {
	id: "serviceentry-address-reading",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: ["Namespace"],
	confirms: ["Namespace"],
	fixable: false,
	docs: {
		summary: "Every listed address must be one that istiod reads as it is written",
		why: "What is accepted when written is read again for ambient: a zone is dropped, and host bits of a CIDR are masked, so that the entry takes more addresses than it names. An address that this second reading refuses, or before Istio 1.30 any CIDR, drops the whole entry without a word, and its traffic leaves past the waypoint.",
		fix: "Write plain addresses, and CIDRs whose host bits are zero.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/helpers.go: parseCidrOrIP",
			"istio/istio pilot/pkg/serviceregistry/ambient/services.go: constructServiceEntries",
		],
		since: "0.1.0",
		good: withSpec(boundEntry, { resolution: "NONE", addresses: ["203.0.113.0/24"] }),
		bad: withSpec(boundEntry, { resolution: "NONE", addresses: ["203.0.113.9/24"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasAddresses,
	*check(entry, context) {
		const ignored = whyIgnored(entry, context.namespace, context.inventory);
		for (const [index, address] of specOf(entry).addresses.entries()) {
			const path = ["spec", "addresses", index];
			if (ignored?.reason === "block" && ignored.index === index) {
				yield {
					path,
					message: `Istio 1.${context.inventory.mesh.istioMinor} drops the whole ServiceEntry from ambient for the CIDR ${quote(address)}, so its traffic goes past every waypoint`,
					hint: "List single addresses, or use Istio 1.30 or later",
				};
			} else if (ignored?.reason === "address" && ignored.index === index && isIPSubnet(address)) {
				yield {
					path,
					message: `Address ${quote(address)} is accepted and then cannot be read, so istiod drops the whole ServiceEntry without a word`,
					hint: "Write an address without a zone",
				};
			} else {
				const read = asIstiodReads(address);
				if (read !== undefined) {
					yield {
						path,
						severity: "warning",
						message: `Where it counts, istiod reads ${quote(address)} as ${read}`,
						hint: `Write ${read}`,
					};
				}
			}
		}
	},
};
