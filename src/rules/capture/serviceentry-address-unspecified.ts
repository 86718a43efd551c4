import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { readAsIstiod } from "../../istio/capture/capture.ts";
import { isAmbient } from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasAddresses } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** Istio 1.32 warns of a prefix that is shorter, whatever the family. */
const shortest = 8;

/** No address stands for any address. */
export const serviceentryAddressUnspecified: Rule<"ServiceEntry"> = {
	id: "serviceentry-address-unspecified",
	kind: "ServiceEntry",
	family: "capture",
	severity: "warning",
	reads: ["Namespace"],
	fixable: false,
	docs: {
		summary: "An address should be that of a host or a network, and not stand for any address",
		why: "0.0.0.0 and ::, a block that begins there, and a block wider than /8 mean every address to a sidecar: with resolution NONE the sidecars of all namespaces that see the entry let its ports pass to any destination, past outboundTrafficPolicy REGISTRY_ONLY. ztunnel takes single addresses literally, so nothing that a pod means to reach is captured by 0.0.0.0. istiod itself warns of it from Istio 1.32.",
		fix: "List the addresses or networks that the host really has.",
		sources: [
			"Istio 1.32.0 change notes: validation warning for match-all and unspecified addresses of a ServiceEntry",
			"https://github.com/istio/istio/issues/57677",
		],
		since: "0.1.0",
		good: withSpec(boundEntry, { resolution: "NONE", addresses: ["203.0.113.0/24"] }),
		bad: withSpec(boundEntry, { resolution: "NONE", addresses: ["0.0.0.0/8"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasAddresses,
	*check(entry, context) {
		for (const [index, address] of specOf(entry).addresses.entries()) {
			const range = readAsIstiod(address);
			if (range === undefined) {
				continue;
			}
			const isWide = range.prefix < shortest;
			// In ambient another rule refuses a wide block.
			if (isWide ? !isAmbient(context) : range.bits === 0n) {
				yield {
					path: ["spec", "addresses", index],
					message: `${quote(address)} means any address to a sidecar: with resolution NONE its ports pass to every destination; istiod warns of it from Istio 1.32`,
					hint: "List the addresses or networks that the host really has",
				};
			}
		}
	},
};
