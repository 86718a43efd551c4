import type { Inventory } from "../core/inventory.ts";
import type { WaypointReference } from "../core/settings.ts";
import { isWaypoint } from "../istio/waypoint/waypoint.ts";
import type { Output } from "./input-object.ts";

/** The waypoint that entries of a namespace are bound to, and whether it has to be made first. */
export interface ChosenWaypoint {
	readonly reference: WaypointReference;
	readonly isNew: boolean;
}

/** The waypoint for entries of a namespace: the one asked for, the policy's, one of the input, or a new one. */
export function waypointFor(
	namespace: string,
	inventory: Inventory,
	asked: WaypointReference | undefined,
): ChosenWaypoint {
	if (asked !== undefined) {
		return { reference: asked, isNew: false };
	}
	const named = inventory.policy(namespace).waypoint;
	if (named !== undefined && named !== "none") {
		return { reference: named, isNew: false };
	}
	for (const gateway of inventory.inNamespace("KubernetesGateway", namespace)) {
		if (isWaypoint(gateway, inventory) === true) {
			return { reference: { namespace, name: gateway.metadata?.name ?? "" }, isNew: false };
		}
	}
	return { reference: { namespace, name: "egress-waypoint" }, isNew: true };
}

/** The Gateway of a waypoint that has to be made. */
export function newWaypoint({ namespace, name }: WaypointReference): Output {
	return {
		stage: "1-add",
		object: {
			apiVersion: "gateway.networking.k8s.io/v1",
			kind: "Gateway",
			metadata: { namespace, name, labels: { "istio.io/waypoint-for": "service" } },
			spec: {
				gatewayClassName: "istio-waypoint",
				listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
			},
		},
		purpose: `the waypoint of namespace ${namespace}`,
	};
}
