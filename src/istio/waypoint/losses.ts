import { confirmation } from "../../core/annotations.ts";
import type { Change } from "../../core/changed-inventory.ts";
import { ChangedInventory } from "../../core/changed-inventory.ts";
import type { Problem } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { Kind, ServiceEntry } from "../../core/kinds.ts";
import { useWaypointLabel, useWaypointNamespaceLabel } from "../../core/policy.ts";
import type { WaypointReference } from "../../core/settings.ts";
import { isGoverned } from "../entry/border.ts";
import { labelOf } from "./label-selector.ts";
import { bindingOf, managedLabel } from "./waypoint.ts";

/** What asking for losses may look at. */
export const lossReads: readonly Kind[] = [
	"ServiceEntry",
	"WorkloadEntry",
	"Service",
	"Namespace",
	"KubernetesGateway",
	"GatewayClass",
];

/** The entries that a change takes off their waypoint, so that ztunnel connects them directly. */
export interface Losses {
	/** Those of namespaces where ambient is enforced. */
	readonly enforced: readonly ServiceEntry[];
	readonly others: readonly ServiceEntry[];
}

/** Every entry that asks for a waypoint: by its own labels, or by those of its namespace. */
export function* entriesAskingFor(
	{ namespace, name }: WaypointReference,
	inventory: Inventory,
): Iterable<ServiceEntry> {
	const key = `${namespace}/${name}`;
	yield* inventory.lookup("serviceEntryByWaypoint", key);
	for (const { metadata } of inventory.lookup("namespaceByWaypoint", key)) {
		for (const entry of inventory.inNamespace("ServiceEntry", metadata?.name ?? "")) {
			if (labelOf(entry.metadata?.labels, useWaypointLabel) === undefined) {
				yield entry;
			}
		}
	}
}

type Labels = Readonly<Record<string, string>> | null | undefined;

/** Which of these entries have a waypoint while an object is as it was, and none when it is as it would be. */
export function lossesOf(
	entries: Iterable<ServiceEntry>,
	old: Change["object"],
	change: Change,
	inventory: Inventory,
): Losses {
	const before = new ChangedInventory(inventory, { ...change, object: old });
	const after = new ChangedInventory(inventory, change);
	const enforced: ServiceEntry[] = [];
	const others: ServiceEntry[] = [];
	// Ten thousand entries ask for the same waypoint from a hundred namespaces.
	const lost = new Map<string, boolean>();
	const isLost = (labels: Labels, namespace: string): boolean => {
		const asked = [useWaypointLabel, useWaypointNamespaceLabel, managedLabel].map((each) => labels?.[each]);
		const key = JSON.stringify([namespace, ...asked]);
		const known = lost.get(key);
		if (known !== undefined) {
			return known;
		}
		const isBound = (world: Inventory): boolean => bindingOf(labels, namespace, world).status === "True";
		const answer = isBound(before) && !isBound(after);
		lost.set(key, answer);
		return answer;
	};
	for (const entry of entries) {
		const namespace = entry.metadata?.namespace ?? "";
		if (isLost(entry.metadata?.labels, namespace) && isGoverned(entry, { namespace, inventory })) {
			(inventory.policy(namespace).ambient === "enforced" ? enforced : others).push(entry);
		}
	}
	return { enforced, others };
}

/** What a change does to the entries that it takes off their waypoint; enforced ones refuse it unless it is confirmed. */
export function* lossProblems(
	{ enforced, others }: Losses,
	annotations: Readonly<Record<string, string>> | null | undefined,
): Iterable<Problem> {
	const reason = confirmation(annotations ?? {});
	if (enforced.length > 0) {
		yield {
			path: ["metadata"],
			...(reason === undefined ? {} : { severity: "warning" as const }),
			message: `Takes the waypoint from ${formatEntries(enforced)}, so that traffic would leave the cluster ungoverned`,
			hint: "Move them to another waypoint first, or annotate this object with egress.waymark.dev/confirm: REASON",
		};
	}
	if (others.length > 0) {
		yield {
			path: ["metadata"],
			severity: "warning",
			message: `Takes the waypoint from ${formatEntries(others)}, so that traffic would leave the cluster ungoverned`,
			hint: "Move them to another waypoint first",
		};
	}
}

/** How many entries, and the first three of them by name. */
export function formatEntries(entries: readonly ServiceEntry[]): string {
	const names = entries
		.slice(0, 3)
		.map(({ metadata }) => mention(`${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`));
	const more = entries.length - names.length;
	const count = entries.length === 1 ? "1 ServiceEntry" : `${entries.length} ServiceEntries`;
	return `${count} (${names.join(", ")}${more > 0 ? ` and ${more} more` : ""})`;
}
