import type { Namespace } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { lossesOf, lossProblems, lossReads } from "../../istio/waypoint/losses.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withLabels } from "../examples.ts";

const openToLabel: typeof egressWaypoint = {
	...egressWaypoint,
	spec: {
		gatewayClassName: "istio-waypoint",
		listeners: [
			{
				name: "mesh",
				port: 15008,
				protocol: "HBONE",
				allowedRoutes: {
					namespaces: { from: "Selector", selector: { matchLabels: { egress: "yes" } } },
				},
			},
		],
	},
};

/** The entries of a namespace keep their waypoint when its labels change. */
export const namespaceBoundEntries: Rule<"Namespace"> = {
	id: "namespace-bound-entries",
	kind: "Namespace",
	family: "namespace",
	severity: "error",
	reads: lossReads,
	confirms: ["Namespace", "KubernetesGateway", "GatewayClass", "Service"],
	fixable: false,
	comparesWithOld: true,
	docs: {
		summary: "A change of a namespace's labels must not take the waypoint from its entries",
		why: "A waypoint may be open to namespaces with a label only, and entries without labels of their own take the waypoint that their namespace's labels name. When such a label goes, ztunnel connects every one of these entries directly.",
		fix: "Keep the label, or bind the entries to another waypoint first. Where the change is meant, annotate the Namespace with egress.waymark.dev/confirm and a reason.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: makeAllowedRoutes"],
		since: "0.1.0",
		good: withLabels(teamNamespace, { egress: "yes", team: "blue" }),
		bad: withLabels(teamNamespace, { egress: "no" }),
		old: withLabels(teamNamespace, { egress: "yes" }),
		given: [withLabels(teamNamespace, { egress: "yes" }), egressNamespace, openToLabel, boundEntry],
	},
	*check(object, { old, namespace, inventory }) {
		if (old !== undefined) {
			const change = { kind: "Namespace" as const, namespace: "", name: namespace, object };
			const entries = inventory.inNamespace("ServiceEntry", namespace);
			yield* lossProblems(
				lossesOf(entries, old as Namespace, change, inventory),
				object.metadata?.annotations,
			);
		}
	},
};
