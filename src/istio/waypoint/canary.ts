import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import { useWaypointLabel } from "../../core/policy.ts";
import type { RuleContext } from "../../core/rule.ts";
import type { WaypointReference } from "../../core/settings.ts";
import { isSameWaypoint } from "./binding.ts";
import { labelOf } from "./label-selector.ts";
import { inspectWaypoint, requestedWaypoint } from "./waypoint.ts";

/** The label that names a canary waypoint, and the annotation of its share (istio.io/api label and annotation). */
export const canaryLabel = "istio.io/use-waypoint-canary";
export const canaryWeightAnnotation = "istio.io/use-waypoint-canary-weight";

/** A second waypoint that gets a part of an entry's connections. */
export interface Canary {
	readonly waypoint: WaypointReference;
	/** Its share in percent; undefined where what is written is no weight, so that it gets nothing. */
	readonly weight: number | undefined;
	/** What is written for the weight; undefined: nothing, which means 0. */
	readonly written: string | undefined;
	/** Whether the entry itself names it, and not its namespace. */
	readonly isOwn: boolean;
}

/**
 * The canary waypoint that an entry asks for; from Istio 1.31. Where the entry inherits its first waypoint, it inherits
 * the canary and its weight, too (ambient/waypoints.go: buildWeightedWaypoints, getUseWaypointCanary, getCanaryWeight).
 */
export function canaryOf(entry: ServiceEntry, namespace: string, inventory: Inventory): Canary | undefined {
	if (inventory.mesh.istioMinor < 31) {
		return undefined;
	}
	const { labels, annotations } = entry.metadata ?? {};
	const inherits = labelOf(labels, useWaypointLabel) === undefined;
	const parent = inherits ? inventory.get("Namespace", "", namespace)?.metadata : undefined;
	const isOwn = labelOf(labels, canaryLabel) !== undefined;
	const source = isOwn ? labels : parent?.labels;
	const name = labelOf(source, canaryLabel);
	if (name === undefined || name === "" || name === "none") {
		return undefined;
	}
	const written =
		labelOf(annotations, canaryWeightAnnotation) ?? labelOf(parent?.annotations, canaryWeightAnnotation);
	return {
		waypoint: { name, namespace: labelOf(source, `${canaryLabel}-namespace`) ?? namespace },
		weight: weightOf(written),
		written,
		isOwn,
	};
}

function weightOf(written: string | undefined): number | undefined {
	const weight = Number(written ?? "0");
	return /^[+-]?[0-9]+$/.test(written ?? "0") && weight >= 0 && weight <= 100 ? weight : undefined;
}

/**
 * The canary waypoint that gets a share of an entry's connections; undefined where all stay with the first one: it is the
 * same, takes nobody from here, or its weight is none (ambient/waypoints.go: buildWeightedWaypoints).
 */
export function usedCanary(entry: ServiceEntry, namespace: string, inventory: Inventory): Canary | undefined {
	const canary = canaryOf(entry, namespace, inventory);
	const home = inventory.get("Namespace", "", namespace)?.metadata?.labels;
	const request = requestedWaypoint(entry.metadata?.labels, namespace, home);
	if (canary?.weight === undefined || canary.weight === 0 || !request.asked) {
		return undefined;
	}
	const { ready, admits, servesServices } = inspectWaypoint(canary.waypoint, namespace, inventory);
	const isOther = !isSameWaypoint(canary.waypoint, request.waypoint);
	return isOther && ready && admits && servesServices ? canary : undefined;
}

/** Whether an entry, or its namespace for it, asks for a canary waypoint. */
export function asksForCanary(entry: ServiceEntry, { namespace, inventory }: RuleContext): boolean {
	return canaryOf(entry, namespace, inventory) !== undefined;
}
