import type { Inventory } from "../core/inventory.ts";
import type { ServiceEntry } from "../core/kinds.ts";
import type { FindRoll } from "../istio/capture/capture.ts";
import { captureOf, rollsOf } from "../istio/capture/capture.ts";
import { captureReason, isCaptured } from "../istio/capture/owners.ts";

/** One host of one ServiceEntry, as `trace --all` writes it (docs/schemas/trace.schema.json). */
export interface TracedHost {
	readonly namespace: string;
	readonly name: string;
	readonly host: string;
	readonly binding: {
		readonly status: "True" | "False" | "None";
		readonly reason: string;
		/** The waypoint that ztunnel is given for the host. */
		readonly waypoint: string | null;
	};
	readonly capture: {
		/** Whether ztunnel knows the host by an address, so that connections to it are found. */
		readonly captured: boolean;
		readonly addresses: "automatic" | "listed" | "none";
		readonly canonical: boolean;
		readonly reason: string;
	};
}

/** What becomes of every host of every ServiceEntry, ordered by namespace, name and the order of hosts. */
export function traceAll(inventory: Inventory): readonly TracedHost[] {
	const findRoll = rollsOf(inventory);
	return [...inventory.all("ServiceEntry")]
		.toSorted((one, other) => compare(placeText(one), placeText(other)))
		.flatMap((entry) => traceEntry(entry, inventory, findRoll));
}

/** What becomes of the hosts of one ServiceEntry. */
export function traceEntry(
	entry: ServiceEntry,
	inventory: Inventory,
	findRoll?: FindRoll,
): readonly TracedHost[] {
	const namespace = entry.metadata?.namespace ?? "";
	const name = entry.metadata?.name ?? "";
	return captureOf(entry, { namespace, name }, inventory, findRoll).map((capture) => ({
		namespace,
		name,
		host: capture.host,
		binding: {
			status: capture.binding.status,
			reason: capture.binding.status === "None" ? "" : capture.binding.reason,
			waypoint: capture.waypoint ?? null,
		},
		capture: {
			captured: isCaptured(capture),
			addresses: capture.addresses,
			canonical: capture.canonical,
			reason: captureReason(capture),
		},
	}));
}

function placeText(entry: ServiceEntry): string {
	return `${entry.metadata?.namespace ?? ""}/${entry.metadata?.name ?? ""}`;
}

function compare(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}
