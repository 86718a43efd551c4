import type { Problem } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import type { KubernetesGateway } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import type { Losses } from "../../istio/waypoint/losses.ts";
import {
	entriesAskingFor,
	formatEntries,
	lossesOf,
	lossProblems,
	lossReads,
} from "../../istio/waypoint/losses.ts";
import { isWaypoint } from "../../istio/waypoint/waypoint.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withLabels } from "../examples.ts";

function losses(
	old: KubernetesGateway,
	object: KubernetesGateway | undefined,
	name: string,
	context: RuleContext,
): Losses {
	const { namespace, inventory } = context;
	const change = { kind: "KubernetesGateway" as const, namespace, name, object };
	return lossesOf(entriesAskingFor({ namespace, name }, inventory), old, change, inventory);
}

/** A waypoint goes on serving the entries that are bound to it. */
export const kubernetesgatewayBoundEntries: Rule<"KubernetesGateway"> = {
	id: "kubernetesgateway-bound-entries",
	kind: "KubernetesGateway",
	family: "binding",
	severity: "error",
	reads: lossReads,
	confirms: ["Namespace", "KubernetesGateway", "GatewayClass", "Service"],
	fixable: false,
	comparesWithOld: true,
	docs: {
		summary: "A change of a waypoint must not take it from the entries that are bound to it",
		why: "Istio fails open: an entry whose waypoint serves workloads only, admits its namespace no longer, or is gone keeps its labels, and ztunnel connects it directly from that moment on. Nobody is told but the condition of each entry, where nobody looks.",
		fix: "Bind the entries to another waypoint first. Where the change is meant, annotate the Gateway with egress.waymark.dev/confirm and a reason: then it is a warning.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: fetchWaypointForService"],
		since: "0.1.0",
		good: withLabels(egressWaypoint, { "istio.io/waypoint-for": "all" }),
		bad: withLabels(egressWaypoint, { "istio.io/waypoint-for": "workload" }),
		old: egressWaypoint,
		given: [teamNamespace, egressNamespace, egressWaypoint, boundEntry],
	},
	*check(gateway, context): Iterable<Problem> {
		const old: KubernetesGateway | undefined = context.old;
		if (old !== undefined && context.name !== undefined) {
			// Who writes a Gateway does not write its status.
			const changed = { ...gateway, status: old.status };
			yield* lossProblems(losses(old, changed, context.name, context), gateway.metadata?.annotations);
			yield* otherClass(old, changed, context.name, context);
		}
	},
	*onDelete(gateway, context): Iterable<Problem> {
		yield* lossProblems(losses(gateway, undefined, gateway.metadata?.name ?? "", context), undefined);
	},
};

/** A Gateway of a class that makes no waypoints is still one to ztunnel, and drops what arrives. */
function* otherClass(
	old: KubernetesGateway,
	gateway: KubernetesGateway,
	name: string,
	{ namespace, inventory }: RuleContext,
): Iterable<Problem> {
	if (isWaypoint(old, inventory) !== true || isWaypoint(gateway, inventory) === true) {
		return;
	}
	const entries = [...entriesAskingFor({ namespace, name }, inventory)];
	if (entries.length > 0) {
		yield {
			path: ["spec", "gatewayClassName"],
			severity: "warning",
			message: `Class ${mention(gateway.spec?.gatewayClassName ?? "")} is not known to make waypoints: ztunnel would drop the traffic of ${formatEntries(entries)}`,
			hint: "Make another Gateway of that class and move the entries, or list the class under waypoints.classes of the cluster configuration",
		};
	}
}
