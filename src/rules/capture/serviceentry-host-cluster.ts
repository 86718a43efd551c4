import { quote } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Rule } from "../../core/rule.ts";
import { isClusterHost } from "../../istio/entry/cluster-hosts.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualHost, isExternal } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** An external entry must not have a name of the cluster as its host. */
export const serviceentryHostCluster: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-cluster",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "An external entry must not have a name of the cluster as its host",
		why: "A host under the cluster's domain, and localhost, never leave the cluster: the entry only takes calls between pods to wherever it points. A name without a dot is completed with the client's search domains, so pods look for a Service first and the entry may never be asked.",
		fix: "Write the full name by which the host is known outside.",
		sources: ["ztunnel src/dns/server.rs", "Kubernetes docs: DNS for Services and Pods"],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { hosts: ["orders.shop.svc.cluster.local"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnusualHost,
	*check(entry, context) {
		if (!isExternal(entry)) {
			return;
		}
		for (const [index, host] of specOf(entry).hosts.entries()) {
			const name = canonicalHost(host);
			const isLocal = name === "localhost" || name.endsWith(".localhost");
			if (!isLocal && !isClusterHost(host, context.inventory)) {
				continue;
			}
			const isShort = !isLocal && !name.includes(".");
			yield {
				path: ["spec", "hosts", index],
				...(isShort ? { severity: "warning" as const } : {}),
				message: isShort
					? `${quote(host)} has no dot, so pods look for a Service of that name before anybody asks this entry`
					: `${quote(host)} is a name of the cluster, so this entry takes calls that were meant to stay inside`,
				hint: "Write the full name by which the host is known outside the cluster",
			};
		}
	},
};
