import type { Inventory } from "../../core/inventory.ts";
import type { GatewayClass, ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { entriesAskingFor, lossesOf, lossProblems, lossReads } from "../../istio/waypoint/losses.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withLabels } from "../examples.ts";

const waypointClass: GatewayClass = {
	apiVersion: "gateway.networking.k8s.io/v1",
	kind: "GatewayClass",
	metadata: { name: "istio-waypoint" },
	spec: { controllerName: "istio.io/mesh-controller" },
};

function* entriesOfClass(name: string, inventory: Inventory): Iterable<ServiceEntry> {
	for (const { metadata, spec } of inventory.all("KubernetesGateway")) {
		if (spec?.gatewayClassName === name) {
			yield* entriesAskingFor(
				{ namespace: metadata?.namespace ?? "", name: metadata?.name ?? "" },
				inventory,
			);
		}
	}
}

/** A class of waypoints goes on serving the entries that are bound to its waypoints. */
export const gatewayclassBoundEntries: Rule<"GatewayClass"> = {
	id: "gatewayclass-bound-entries",
	kind: "GatewayClass",
	family: "binding",
	severity: "error",
	reads: lossReads,
	confirms: ["Namespace", "KubernetesGateway", "GatewayClass", "Service"],
	fixable: false,
	comparesWithOld: true,
	docs: {
		summary: "A change of a class of waypoints must not take them from the entries that are bound to them",
		why: "The label istio.io/waypoint-for and the annotation of the inbound binding hold for every waypoint of the class that has none itself. A class that serves workloads only leaves every entry behind its waypoints to ztunnel, which connects directly.",
		fix: "Put the label on the waypoints for which it is meant. Where the change is meant, annotate the GatewayClass with egress.waymark.dev/confirm and a reason.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: makeWaypoint"],
		since: "0.1.0",
		good: withLabels(waypointClass, { "istio.io/waypoint-for": "service" }),
		bad: withLabels(waypointClass, { "istio.io/waypoint-for": "none" }),
		old: waypointClass,
		given: [teamNamespace, egressNamespace, egressWaypoint, waypointClass, boundEntry],
	},
	*check(object, { old, name = "", inventory }) {
		if (old !== undefined) {
			const change = { kind: "GatewayClass" as const, namespace: "", name, object };
			yield* lossProblems(
				lossesOf(entriesOfClass(name, inventory), old as GatewayClass, change, inventory),
				object.metadata?.annotations,
			);
		}
	},
	*onDelete(object, { inventory }) {
		const name = object.metadata?.name ?? "";
		const change = { kind: "GatewayClass" as const, namespace: "", name, object: undefined };
		yield* lossProblems(lossesOf(entriesOfClass(name, inventory), object, change, inventory), undefined);
	},
};
