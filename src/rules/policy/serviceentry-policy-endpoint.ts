import type { Path } from "../../core/finding.ts";
import { quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import { allows } from "../../core/policy.ts";
import type { Rule } from "../../core/rule.ts";
import { borderConfirms, borderReads, isGoverned } from "../../istio/entry/border.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasAddressesOrEndpoints } from "../../istio/entry/facts.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../examples.ts";
import { limitOnAddress } from "./limits.ts";

/** Where the traffic for the hosts really goes, as addresses of the internet. */
function* destinationsOf(entry: ServiceEntry): Iterable<{ readonly address: string; readonly path: Path }> {
	const { addresses, endpoints, resolution } = specOf(entry);
	for (const [index, { address }] of endpoints.entries()) {
		yield { address: address ?? "", path: ["spec", "endpoints", index, "address"] };
	}
	// With resolution NONE a connection goes to the address that the client asked for.
	if (resolution === "NONE") {
		for (const [index, address] of addresses.entries()) {
			yield { address, path: ["spec", "addresses", index] };
		}
	}
}

/** Where hosts are limited, an address on the internet that nobody allowed should not stand behind an allowed host. */
export const serviceentryPolicyEndpoint: Rule<"ServiceEntry"> = {
	id: "serviceentry-policy-endpoint",
	kind: "ServiceEntry",
	family: "policy",
	severity: "warning",
	reads: ["Namespace", ...borderReads],
	confirms: borderConfirms,
	fixable: false,
	docs: {
		summary:
			"Where hosts are limited, an address on the internet should not stand behind an allowed host unless it is allowed too",
		why: "A list of allowed hosts names what an entry may be called. With endpoints, or with resolution NONE and listed addresses, the traffic goes to the addresses that the author wrote, whoever they belong to: an allowed name in front of any machine on the internet. Only a client that checks the server's certificate would notice. Private addresses are ordinary and not looked at.",
		fix: "Use resolution DNS without endpoints, or ask the security team to allow the address: an address may stand in allowed-hosts. A cluster that wants no exception sets the rule's severity to error.",
		sources: ["docs/policies.md", "istio/istio pilot/pkg/serviceregistry/ambient/workloads.go"],
		since: "0.1.0",
		good: withSpec(boundEntry, { resolution: "STATIC", endpoints: [{ address: "198.51.100.7" }] }),
		bad: withSpec(boundEntry, { resolution: "STATIC", endpoints: [{ address: "203.0.113.66" }] }),
		given: [
			withAnnotations(teamNamespace, {
				"egress.waymark.dev/waypoint": "istio-egress/egress",
				"egress.waymark.dev/allowed-hosts": "*.example.com, 198.51.100.7",
			}),
			egressNamespace,
			egressWaypoint,
		],
	},
	when: hasAddressesOrEndpoints,
	*check(entry, context) {
		if (context.policy.allowedHosts.length === 0 || !isGoverned(entry, context)) {
			return;
		}
		for (const { address, path } of destinationsOf(entry)) {
			const strict = limitOnAddress(address, context.policy);
			if (strict !== undefined) {
				yield {
					path,
					message: `The traffic goes to ${quote(address)}, which is not among the hosts that ${allows(strict.by)}, whatever the entry's hosts are called`,
					hint: "Use resolution DNS without endpoints, or ask the security team to allow the address",
				};
			}
		}
	},
};
