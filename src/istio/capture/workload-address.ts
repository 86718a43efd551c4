import type { AddressRange } from "../../core/address-range.ts";
import { addressBucket, rangeContains } from "../../core/address-range.ts";
import { mention } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { Kind, ServiceEntry, WorkloadEntry } from "../../core/kinds.ts";
import { specOf } from "../entry/entry.ts";
import { labelOf } from "../waypoint/label-selector.ts";
import { requestedWaypoint, workloadBinding } from "../waypoint/waypoint.ts";
import type { Overlap } from "./address-overlap.ts";
import { overlapsOf } from "./address-overlap.ts";
import type { ObjectName } from "./capture.ts";
import { readAsIstiod, whyIgnored } from "./capture.ts";

/** What asking for the workloads of an address may look at. */
export const workloadAddressReads: readonly Kind[] = [
	"ServiceEntry",
	"WorkloadEntry",
	"Namespace",
	"KubernetesGateway",
	"GatewayClass",
];
/** What of it an answer may rest on not being there. */
export const workloadAddressConfirms: readonly Kind[] = ["Namespace", "KubernetesGateway", "GatewayClass"];

/**
 * A workload that ztunnels are told of, by its address. For a connection to that address ztunnel asks the workload, and
 * no service that has the address too, so the service's waypoint is passed by (ztunnel src/state.rs: find_address).
 */
export interface WorkloadAddress {
	readonly kind: "ServiceEntry" | "WorkloadEntry";
	readonly namespace: string;
	readonly name: string;
	/** The endpoint of a ServiceEntry; 0 for a WorkloadEntry. */
	readonly index: number;
	readonly address: AddressRange;
	/** `NAMESPACE/NAME` of a waypoint that serves workloads; undefined: ztunnel connects directly. */
	readonly waypoint: string | undefined;
}

/** The workloads that istiod makes of the endpoints of an entry (ambient/workloads.go: serviceEntryWorkloadBuilder). */
export function* workloadsOfEntry(
	entry: ServiceEntry,
	{ namespace, name }: ObjectName,
	inventory: Inventory,
): Iterable<WorkloadAddress> {
	const { endpoints } = specOf(entry);
	if (endpoints.length === 0 || whyIgnored(entry, namespace, inventory) !== undefined) {
		return;
	}
	const local = localNetwork(inventory);
	let network = local;
	for (const [index, endpoint] of endpoints.entries()) {
		// istiod keeps the network of an endpoint for all that follow it.
		network = endpoint.network || network;
		const address = network === local ? readAsIstiod(endpoint.address ?? "") : undefined;
		if (address !== undefined && !(endpoint.address ?? "").includes("/")) {
			const waypoint = workloadBinding(endpoint.labels, namespace, inventory);
			yield { kind: "ServiceEntry", namespace, name: name ?? "", index, address, waypoint };
		}
	}
}

/** The workload that istiod makes of a WorkloadEntry; undefined where ztunnel does not know it by an address. */
export function workloadOf(
	{ metadata, spec }: WorkloadEntry,
	{ namespace, name }: ObjectName,
	inventory: Inventory,
): WorkloadAddress | undefined {
	const local = localNetwork(inventory);
	const address = readAsIstiod(spec?.address ?? "");
	if (address === undefined || (spec?.address ?? "").includes("/") || (spec?.network || local) !== local) {
		return undefined;
	}
	// The labels of both count, and those of the metadata first (serviceentry/conversion.go: ConvertClientWorkloadEntry).
	const waypoint = workloadBinding({ ...spec?.labels, ...metadata?.labels }, namespace, inventory);
	return { kind: "WorkloadEntry", namespace, name: name ?? "", index: 0, address, waypoint };
}

/** The network of pods and of whatever names none (Istio pilot/pkg/serviceregistry/ambient/networks.go). */
export function localNetwork(inventory: Inventory): string {
	const labels = inventory.get("Namespace", "", inventory.mesh.rootNamespace)?.metadata?.labels;
	return labelOf(labels, "topology.istio.io/network") ?? "";
}

/** More workloads than this in a block are not looked at: enough to find one that matters, few enough to wait for. */
const mostWorkloads = 256;

/** The workloads of other objects than `self` that have an address in a range. */
export function workloadsWithin(
	range: AddressRange,
	self: ObjectName,
	inventory: Inventory,
): readonly WorkloadAddress[] {
	const found: WorkloadAddress[] = [];
	const key = addressBucket(range) ?? "all";
	for (const entry of inventory.lookup("serviceEntryByEndpoint", key)) {
		const objectName = objectNameOf(entry);
		if (!(objectName.namespace === self.namespace && objectName.name === self.name)) {
			found.push(...within(range, workloadsOfEntry(entry, objectName, inventory)));
		}
		if (found.length >= mostWorkloads) {
			return found;
		}
	}
	for (const machine of inventory.lookup("workloadEntryByAddress", key)) {
		const workload = workloadOf(machine, objectNameOf(machine), inventory);
		found.push(...within(range, workload === undefined ? [] : [workload]));
		if (found.length >= mostWorkloads) {
			return found;
		}
	}
	return found;
}

function within(range: AddressRange, workloads: Iterable<WorkloadAddress>): readonly WorkloadAddress[] {
	return [...workloads].filter(({ address }) => rangeContains(range, address));
}

function objectNameOf({ metadata }: ServiceEntry | WorkloadEntry): {
	readonly namespace: string;
	readonly name: string;
} {
	return { namespace: metadata?.namespace ?? "", name: metadata?.name ?? "" };
}

/** Another entry that sends an address through a waypoint. */
export interface GovernedAddress extends Overlap {
	/** `NAMESPACE/NAME` of the waypoint that its labels ask for. */
	readonly waypoint: string;
}

/** The entry whose waypoint a workload would take an address from; undefined: there is none. */
export function governedBy(
	workload: WorkloadAddress,
	self: ObjectName,
	inventory: Inventory,
): GovernedAddress | undefined {
	for (const overlap of overlapsOf(workload.address, self, inventory)) {
		const { entry, objectName } = overlap;
		const waypoint = waypointAskedBy(entry, objectName.namespace, inventory);
		if (
			waypoint !== undefined &&
			waypoint !== workload.waypoint &&
			whyIgnored(entry, objectName.namespace, inventory) === undefined
		) {
			return { ...overlap, waypoint };
		}
	}
	return undefined;
}

function waypointAskedBy(
	{ metadata }: ServiceEntry,
	namespace: string,
	inventory: Inventory,
): string | undefined {
	const labels = inventory.get("Namespace", "", namespace)?.metadata?.labels;
	const request = requestedWaypoint(metadata?.labels, namespace, labels);
	return request.asked ? `${request.waypoint.namespace}/${request.waypoint.name}` : undefined;
}

/** `KIND NAMESPACE/NAME`. */
export function formatWorkload({ kind, namespace, name }: WorkloadAddress): string {
	return `${kind} ${mention(`${namespace}/${name}`)}`;
}
