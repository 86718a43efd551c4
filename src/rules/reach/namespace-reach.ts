import { annotationPrefix } from "../../core/annotations.ts";
import type { Path, Problem } from "../../core/finding.ts";
import type { NamespaceGap } from "../../core/gaps.ts";
import { areGapsKnown } from "../../core/gaps.ts";
import type { Namespace } from "../../core/kinds.ts";
import { isAmbientNamespace } from "../../core/policy.ts";
import type { Rule } from "../../core/rule.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../examples.ts";

const others: Namespace = {
	...teamNamespace,
	metadata: { name: "intern", labels: { "istio.io/dataplane-mode": "ambient" } },
};

/** The pods of a namespace reach nothing that its enforced policy does not allow. */
export const namespaceReach: Rule<"Namespace"> = {
	id: "namespace-reach",
	kind: "Namespace",
	family: "reach",
	severity: "warning",
	reads: [],
	fixable: false,
	asksGaps: true,
	docs: {
		summary: "The pods of a namespace should reach nothing that its policy does not allow",
		why: "The lists of a namespace hold for the entries that are written in it. Entries of other namespaces serve its pods, too: what the policy forbids is reached through them, until an AuthorizationPolicy at the waypoint refuses it. Pods that are not in ambient, and hosts whose connections no entry answers, leave past every waypoint, and only a NetworkPolicy or a firewall stops them.",
		fix: "Set reach: enforce in the configuration, and Waymark keeps the AuthorizationPolicies; or apply what waymark export authorization-policies prints. For what leaves past the waypoints: waymark export network-policies. waymark inventory lists every gap.",
		sources: ["docs/inventory.md", "istio.io/docs/reference/config/security/authorization-policy"],
		since: "0.1.0",
		good: others,
		bad: {
			...others,
			metadata: {
				...others.metadata,
				annotations: { "egress.waymark.dev/allowed-hosts": "*.example.org" },
			},
		},
		given: [teamNamespace, egressNamespace, egressWaypoint, boundEntry],
	},
	when: areGapsKnown,
	*check(object, { gaps, namespace }) {
		const { all, unnamed } = gaps?.ofNamespace(namespace) ?? {};
		const isOutside = !isAmbientNamespace(object.metadata?.labels ?? {});
		const found = (gap: NamespaceGap, path: Path, who: string): Problem => ({
			path,
			...(isOutside ? { severity: "info" as const } : {}),
			message: `${who} (${namesOf(gap)}), ${reason(gap.count, gap.direct, isOutside)}`,
			hint:
				gap.direct === gap.count
					? "waymark export network-policies prints what stops connections past the waypoints"
					: "Set reach: enforce in the configuration, or apply what waymark export authorization-policies prints",
		});
		if (all !== undefined) {
			yield found(all, pathOf(object), `Its pods reach ${whatOf(all)} that its policy does not allow`);
		}
		if (unnamed !== undefined) {
			yield found(
				unnamed,
				["metadata", "annotations", `${annotationPrefix}allowed-service-accounts`],
				`Its pods whose ServiceAccount this list does not name reach ${whatOf(unnamed)}`,
			);
		}
	},
};

function whatOf({ count }: NamespaceGap): string {
	return count === 1 ? "a port of a host" : `${count} ports of hosts`;
}

function namesOf({ count, destinations }: NamespaceGap): string {
	const more = count > destinations.length ? ` and ${count - destinations.length} more` : "";
	return `${destinations.join(", ")}${more}`;
}

function reason(count: number, direct: number, isOutside: boolean): string {
	if (isOutside) {
		return "since they are not in ambient and leave past every waypoint";
	}
	if (direct === count) {
		return "past every waypoint";
	}
	return direct === 0
		? "and nothing refuses them at the waypoints"
		: `${direct} of them past every waypoint, and nothing refuses the others there`;
}

/** The list that is not kept, where the namespace has one. */
function pathOf({ metadata }: Namespace): Path {
	const list = ["denied-hosts", "allowed-hosts", "allowed-ports", "allowed-protocols"].find(
		(name) => metadata?.annotations?.[annotationPrefix + name] !== undefined,
	);
	return list === undefined ? ["metadata", "name"] : ["metadata", "annotations", annotationPrefix + list];
}
