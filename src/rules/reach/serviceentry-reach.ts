import { quote } from "../../core/finding.ts";
import type { EntryGap } from "../../core/gaps.ts";
import { areGapsKnown } from "../../core/gaps.ts";
import type { Rule } from "../../core/rule.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../examples.ts";

/** An entry serves no namespace whose enforced policy does not allow its host. */
export const serviceentryReach: Rule<"ServiceEntry"> = {
	id: "serviceentry-reach",
	kind: "ServiceEntry",
	family: "reach",
	severity: "warning",
	reads: [],
	fixable: false,
	asksGaps: true,
	docs: {
		summary: "What a ServiceEntry opens should be refused to the namespaces whose policies do not allow it",
		why: "A ServiceEntry serves the pods of every namespace that sees it. The policy of its own namespace allowed it to be written; the policies of the others are not asked, and their pods reach the host all the same, through the waypoint, until an AuthorizationPolicy there refuses them. It depends on all namespaces, so no request is judged by it: lint, the auditor and the inventory are.",
		fix: "Set reach: enforce in the configuration, and Waymark keeps an AuthorizationPolicy on the entry; or apply what waymark export authorization-policies prints. Where no waypoint is on the way, bind the entry to one: nothing else in the mesh can refuse a connection.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/services.go",
			"istio.io/docs/reference/config/security/authorization-policy",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { hosts: ["api.bank.example"] }),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			{
				...withAnnotations(teamNamespace, { "egress.waymark.dev/denied-hosts": "api.bank.example" }),
				metadata: {
					name: "intern",
					labels: { "istio.io/dataplane-mode": "ambient" },
					annotations: { "egress.waymark.dev/denied-hosts": "api.bank.example" },
				},
			},
		],
	},
	when: areGapsKnown,
	*check(entry, { gaps, namespace, name }) {
		const hosts = entry.spec?.hosts ?? [];
		for (const gap of gaps?.ofEntry(namespace, name ?? "") ?? []) {
			yield {
				path: ["spec", "hosts", Math.max(0, hosts.indexOf(gap.host))],
				message: `${openTo(gap)}, ${gap.waypoint === undefined ? "and no waypoint is on the way" : `and nothing refuses them at waypoint ${gap.waypoint}`}`,
				hint:
					gap.waypoint === undefined
						? "Bind the entry to a waypoint; until then only a NetworkPolicy or a firewall stops them"
						: "Set reach: enforce in the configuration, or apply what waymark export authorization-policies prints",
			};
		}
	},
};

function openTo({ host, ports, count, namespaces, whose }: EntryGap): string {
	const shown = ports.slice(0, 4).join(", ");
	const port =
		ports.length > 4
			? `ports ${shown} and ${ports.length - 4} more`
			: `port${ports.length > 1 ? "s" : ""} ${shown}`;
	const names =
		count > namespaces.length
			? `${namespaces.join(", ")} and ${count - namespaces.length} more`
			: namespaces.join(", ");
	return whose === "unnamed"
		? `Host ${quote(host)}, ${port}, is reached by ServiceAccounts that ${count === 1 ? "the policy of their namespace does" : `the policies of ${count} namespaces do`} not name (${names})`
		: `Host ${quote(host)}, ${port}, is reached from ${count === 1 ? "a namespace whose policy does" : `${count} namespaces whose policies do`} not allow it (${names})`;
}
