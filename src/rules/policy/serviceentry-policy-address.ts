import type { CelCheck } from "../../core/cel.ts";
import type { Rule } from "../../core/rule.ts";
import { hasAddressesOrEndpoints } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";
import { forbiddenAddress } from "./limits.ts";

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
		why: "ztunnel captures by address: an entry that names the address of a cloud's metadata service, of the loopback, or of Istio's own allocation range redirects traffic that was never its own. IPv4 addresses written as IPv6 (mapped, or for NAT64) are compared as the IPv4 addresses that they reach.",
		fix: "Remove the address. Denied ranges are limits.deniedAddresses in the cluster configuration.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/services.go: constructServiceEntries",
			"istio/istio pilot/pkg/controllers/ipallocate/ipallocate.go",
			"RFC 3927 (link-local), RFC 4291 (IPv6 addressing), RFC 6052 (IPv4 behind NAT64)",
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
	when: hasAddressesOrEndpoints,
	*check(entry, context) {
		const { settings } = context.inventory;
		for (const [index, address] of (entry.spec?.addresses ?? []).entries()) {
			yield* forbiddenAddress(address, ["spec", "addresses", index], settings);
		}
		for (const [index, { address }] of (entry.spec?.endpoints ?? []).entries()) {
			yield* forbiddenAddress(address ?? "", ["spec", "endpoints", index, "address"], settings);
		}
	},
	cel: {
		gap: "what an IPv4 address written as IPv6 in hexadecimal (::ffff:a9fe:101) reaches: such a one is refused",
		problems: [
			addressProblem("e.addresses", "spec.addresses"),
			// Of thousands of endpoints only those are looked into that may lie there.
			addressProblem("e.doubtful", "spec.endpoints.address"),
		],
	},
};

function addressProblem(list: string, path: string): CelCheck["problems"][number] {
	return {
		each: ["a", list],
		// A zone says where an address is, and an IPv4 address may be written as IPv6: CEL knows neither.
		when: `(a.contains(':') || a.matches('^[0-9]')) && [a.split('%')[0].lowerAscii()]
  .map(t, t.matches('^::ffff:[0-9]+[.]') ? t.substring(7) : t)
  .exists(t, isIP(t) ? variables.deniedAddresses.exists(d, cidr(d).containsIP(t)) :
    isCIDR(t) ? variables.deniedAddresses.exists(d,
      cidr(d).containsCIDR(cidr(t).masked()) || cidr(t).masked().containsCIDR(d)) :
    t.matches('^(0*:){1,5}:?ffff:[0-9a-f]'))`,
		path,
		message: 'Address "{a}" lies in what the cluster denies',
		hint: "Remove the address; the denied ranges are limits.deniedAddresses of the cluster configuration",
	};
}
