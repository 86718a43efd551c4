import { getDomain } from "tldts";
import { quote } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Rule } from "../../core/rule.ts";
import { borderConfirms, borderReads, isGoverned } from "../../istio/entry/border.ts";
import { isClusterHost } from "../../istio/entry/cluster-hosts.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualHost } from "../../istio/entry/facts.ts";
import { isWildcard } from "../../istio/entry/hosts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** The registered domain of a host; `isPrivate` counts the suffixes that companies let to customers, such as github.io. */
function ownerOf(host: string, isPrivate: boolean): string | null {
	return getDomain(host, { allowPrivateDomains: isPrivate, validateHostname: false });
}

/** Whether all names that end so are one owner's: none where each of them is a suffix itself, as below `kawasaki.jp`. */
function isOneOwner(rest: string, isPrivate: boolean): boolean {
	const owner = ownerOf(`a${rest}`, isPrivate);
	return owner !== null && owner === ownerOf(`b${rest}`, isPrivate);
}

/** A wildcard host must stand for the names of one owner. */
export const serviceentryHostPublicSuffix: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-public-suffix",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: borderReads,
	confirms: borderConfirms,
	fixable: false,
	docs: {
		summary: "A wildcard host must stand for the names of one owner",
		why: "Below a public suffix such as co.uk everybody can register a name, and a partial wildcard such as *example.com also stands for badexample.com. The entry, and every policy that trusts it, would then cover hosts of strangers.",
		fix: "Name the registered domain: *.example.co.uk.",
		sources: ["https://publicsuffix.org", "istio/istio pkg/config/host/name.go"],
		since: "0.1.0",
		good: withSpec(boundEntry, {
			hosts: ["*.payments.example.com"],
			resolution: "DYNAMIC_DNS",
			ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
		}),
		bad: withSpec(boundEntry, {
			hosts: ["*.co.uk"],
			resolution: "DYNAMIC_DNS",
			ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnusualHost,
	*check(entry, context) {
		if (!isGoverned(entry, context)) {
			return;
		}
		for (const [index, host] of specOf(entry).hosts.entries()) {
			const name = canonicalHost(host);
			const rest = name.slice(1);
			// A wildcard without a dot is refused by other rules, and so is one for a top-level domain.
			if (!isWildcard(name) || !rest.slice(1).includes(".") || isClusterHost(host, context.inventory)) {
				continue;
			}
			if (isOneOwner(rest, true)) {
				continue;
			}
			const isPublic = !isOneOwner(rest, false);
			const suffix = rest.startsWith(".") ? rest.slice(1) : rest;
			yield {
				path: ["spec", "hosts", index],
				...(isPublic ? {} : { severity: "warning" as const }),
				message: rest.startsWith(".")
					? `Everybody can get a name below ${quote(suffix)}, so ${quote(host)} stands for hosts of strangers`
					: `${quote(host)} stands for every name that ends in ${quote(suffix)}, those of strangers too`,
				hint: "Name the domain that was registered, such as *.example.com",
			};
		}
	},
};
