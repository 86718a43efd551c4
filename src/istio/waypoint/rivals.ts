import { canonicalHost } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { WaypointReference } from "../../core/settings.ts";
import { bindingOf } from "./waypoint.ts";

/**
 * The entry of another namespace that sends a host through the same waypoint. A waypoint keeps one service a host name
 * (Istio pilot/pkg/networking/core/waypoint.go: findWaypointResources, a map filled from an unsorted list).
 */
export function rivalAt(
	host: string,
	waypoint: WaypointReference,
	{ namespace, inventory }: { readonly namespace: string; readonly inventory: Inventory },
): ServiceEntry | undefined {
	for (const other of inventory.lookup("serviceEntryByHost", canonicalHost(host))) {
		const where = other.metadata?.namespace ?? "";
		if (where === namespace) {
			continue;
		}
		const binding = bindingOf(other.metadata?.labels, where, inventory);
		if (
			binding.status === "True" &&
			binding.request.waypoint.namespace === waypoint.namespace &&
			binding.request.waypoint.name === waypoint.name
		) {
			return other;
		}
	}
	return undefined;
}
