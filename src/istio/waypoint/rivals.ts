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
		const bound = inventory.know(boundWaypoint, other);
		if (bound?.namespace === waypoint.namespace && bound.name === waypoint.name) {
			return other;
		}
	}
	return undefined;
}

/** The waypoint that istiod binds a stored entry to. */
function boundWaypoint({ metadata }: ServiceEntry, inventory: Inventory): WaypointReference | undefined {
	const binding = bindingOf(metadata?.labels, metadata?.namespace ?? "", inventory);
	return binding.status === "True" ? binding.request.waypoint : undefined;
}
