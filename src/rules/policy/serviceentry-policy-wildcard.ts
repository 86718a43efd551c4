import { celCanonicalHost } from "../../core/cel.ts";
import { quote } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Rule } from "../../core/rule.ts";
import { borderConfirms, borderReads, isGoverned } from "../../istio/entry/border.ts";
import { hasUnusualHost } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** A wildcard host names at least as many labels as the cluster wants. */
export const serviceentryPolicyWildcard: Rule<"ServiceEntry"> = {
	id: "serviceentry-policy-wildcard",
	kind: "ServiceEntry",
	family: "policy",
	severity: "error",
	reads: borderReads,
	confirms: borderConfirms,
	fixable: false,
	docs: {
		summary: "A wildcard host must name at least as many labels as the cluster's limits want",
		why: "A host such as *.com takes the traffic of half the internet, for every namespace that has no better entry, and defeats every list of allowed hosts.",
		fix: "Name the domain: *.example.com. The limit is limits.wildcardMinimumLabels in the cluster configuration, 2 unless it says otherwise.",
		sources: ["istio/istio pkg/config/host/name.go: Matches"],
		since: "0.1.0",
		good: withSpec(boundEntry, { hosts: ["*.example.com"], resolution: "DYNAMIC_DNS" }),
		bad: withSpec(boundEntry, { hosts: ["*.com"], resolution: "DYNAMIC_DNS" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnusualHost,
	*check(entry, context) {
		const least = context.inventory.settings.limits.wildcardMinimumLabels;
		if (!isGoverned(entry, context)) {
			return;
		}
		for (const [index, host] of (entry.spec?.hosts ?? []).entries()) {
			const name = canonicalHost(host);
			// A partial wildcard (*foo.com) leaves its first label open, so that label does not count.
			const labels = name.startsWith("*") ? name.split(".").length - 1 : least;
			if (labels < least) {
				yield {
					path: ["spec", "hosts", index],
					message: `Wildcard ${quote(host)} fixes ${labels} ${labels === 1 ? "label" : "labels"}, and the cluster wants at least ${least}`,
					hint: "Name the domain, as in *.example.com",
				};
			}
		}
	},
	cel: {
		problems: [
			{
				each: ["h", "(e.governed ? e.hosts : [])"],
				when: `[${celCanonicalHost("h")}].exists(n, n.startsWith('*') &&
  n.split('.').size() - 1 < variables.wildcardMinimumLabels)`,
				path: "spec.hosts",
				message:
					'Wildcard "{h}" fixes fewer labels than the {string(variables.wildcardMinimumLabels)} that the cluster wants',
				hint: "Name the domain, as in *.example.com",
			},
		],
	},
};
