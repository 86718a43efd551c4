import { mention } from "../core/finding.ts";
import type { Inventory } from "../core/inventory.ts";
import type { ServiceEntry } from "../core/kinds.ts";
import type { HostCapture, HostOwner } from "./capture.ts";
import { captureOf } from "./capture.ts";

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
	return [...inventory.all("ServiceEntry")]
		.toSorted((one, other) => compare(placeText(one), placeText(other)))
		.flatMap((entry) => traceEntry(entry, inventory));
}

/** What becomes of the hosts of one ServiceEntry. */
export function traceEntry(entry: ServiceEntry, inventory: Inventory): readonly TracedHost[] {
	const namespace = entry.metadata?.namespace ?? "";
	const name = entry.metadata?.name ?? "";
	return captureOf(entry, { namespace, name }, inventory).map((capture) => ({
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

/** Whether ztunnel knows a host by an address. */
export function isCaptured(capture: HostCapture): boolean {
	return capture.addresses !== "none" && !capture.pending;
}

/** Why ztunnel knows a host, or why not, in words for a person. */
export function captureReason(capture: HostCapture): string {
	if (capture.ignored !== undefined) {
		return ignoredReason(capture);
	}
	const { lostTo } = capture.standing;
	if (lostTo !== undefined) {
		return `${formatOwner(lostTo)} answers for this host in the namespace`;
	}
	if (capture.pending) {
		return "Istio has not allocated an address yet";
	}
	switch (capture.addresses) {
		case "automatic":
			return "Istio allocates an address for the host";
		case "listed":
			return "the ServiceEntry lists addresses";
		default:
			return "it has no address: none is listed and Istio allocates none";
	}
}

function ignoredReason({ ignored }: HostCapture): string {
	switch (ignored?.reason) {
		case "revision":
			return `istiod ignores the ServiceEntry: its label istio.io/rev names another revision, ${JSON.stringify(ignored.revision)}`;
		case "visibility":
			return "istiod ignores the ServiceEntry: the mesh shows those of this namespace to nobody";
		case "block":
			return `istiod before 1.30 ignores the whole ServiceEntry for the CIDR ${ignored.address}`;
		default:
			return "istiod ignores the whole ServiceEntry: it cannot read one of its addresses";
	}
}

/** `ServiceEntry NAMESPACE/NAME`. */
export function formatOwner(owner: HostOwner): string {
	return `${owner.kind} ${mention(`${owner.namespace}/${owner.name}`)}`;
}

function placeText(entry: ServiceEntry): string {
	return `${entry.metadata?.namespace ?? ""}/${entry.metadata?.name ?? ""}`;
}

function compare(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}
