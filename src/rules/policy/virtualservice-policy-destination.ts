import type { Problem } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import type { VirtualService } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { virtualServiceTargets } from "../../istio/egress/route-targets.ts";
import { hostSeenFrom } from "../../istio/egress/virtual-services.ts";
import { egressNamespace, egressWaypoint } from "../examples.ts";
import { routedEntry } from "../sidecar-egress/examples.ts";
import { limitedNamespace, virtualServiceTo } from "./examples.ts";
import { externalHostOf, routeDestinationProblems, routeDestinationReads } from "./route-destinations.ts";

/** A VirtualService leads only to hosts that its namespace may reach, and past no waypoint. */
export const virtualservicePolicyDestination: Rule<"VirtualService"> = {
	id: "virtualservice-policy-destination",
	kind: "VirtualService",
	family: "policy",
	severity: "error",
	reads: routeDestinationReads,
	confirms: ["VirtualService", "KubernetesGateway", "Namespace", "Service"],
	fixable: false,
	docs: {
		summary:
			"A VirtualService must lead only to hosts and ports that its namespace may reach, and not past its waypoint",
		why: "A waypoint follows the VirtualServices of a host's namespace. A destination, a mirror or a written authority therefore reaches whatever any namespace has registered, whether or not this one may: by the name of an allowed host, or by the name of a Service that is an ExternalName. A route that stands on an ordinary gateway leaves from that gateway's pods, past the waypoint. A Service of another namespace behind an external host is reached with the waypoint's identity. What a VirtualService delegates to is held to the policy of its root, whichever of the two is written last.",
		fix: "Lead the host to itself, or ask the security team to allow the destination. Write a ServiceEntry for every host that pods shall reach, and let them call it by its name.",
		sources: [
			"istio/istio pilot/pkg/networking/core/listener_waypoint.go: getVirtualServiceForWaypoint",
			"docs/policies.md",
		],
		since: "0.1.0",
		good: virtualServiceTo("api.payments.example.com"),
		bad: virtualServiceTo("files.example.org"),
		given: [limitedNamespace, egressNamespace, egressWaypoint, routedEntry],
	},
	*check(route, context) {
		const { namespace, inventory } = context;
		const targets = virtualServiceTargets(route, namespace, inventory);
		yield* routeDestinationProblems(targets, externalHostOf(route, context), context);
		yield* delegationProblems(route, context);
	},
};

/** What the policies of other namespaces say of a VirtualService to which theirs delegate. */
function* delegationProblems(route: VirtualService, context: RuleContext): Generator<Problem> {
	const { namespace, name, inventory } = context;
	const judged = new Set([namespace]);
	for (const root of inventory.lookup("virtualServiceByDelegate", `${namespace}/${name ?? ""}`)) {
		const home = root.metadata?.namespace ?? "";
		if (!judged.has(home)) {
			judged.add(home);
			const asRoot = { ...context, namespace: home, policy: inventory.policy(home) };
			const targets = [...virtualServiceTargets(route, namespace, inventory)].map((target) =>
				target.isExact ? target : { ...target, host: hostSeenFrom(home, target.host, namespace) },
			);
			for (const problem of routeDestinationProblems(targets, externalHostOf(root, asRoot), asRoot)) {
				yield {
					...problem,
					message: `VirtualService ${mention(`${home}/${root.metadata?.name ?? ""}`)} delegates to this one: ${problem.message}`,
				};
			}
		}
	}
}
