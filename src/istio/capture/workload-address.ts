import type { AddressRange } from "../../core/address-range.ts";
import { bucketOfAddressesIn } from "../../core/address-range.ts";
import { mention } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import { isAny } from "../../core/inventory.ts";
import type { Kind, ServiceEntry, WorkloadEntry, WorkloadEntrySpec } from "../../core/kinds.ts";
import type { AddressList, SpannedRange } from "../../core/range-list.ts";
import { listAddresses, spanned } from "../../core/range-list.ts";
import { specOf } from "../entry/entry.ts";
import { labelOf } from "../waypoint/label-selector.ts";
import { requestedWaypoint, workloadBinding } from "../waypoint/waypoint.ts";
import type { Overlap } from "./address-overlap.ts";
import { entriesUnder, overlapsOf, underKeys } from "./address-overlap.ts";
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
	for (const index of endpoints.keys()) {
		const workload = workloadAt(entry, index, { namespace, name }, inventory);
		if (workload !== undefined) {
			yield workload;
		}
	}
}

/** The workload of one endpoint of an entry that istiod does not ignore. */
function workloadAt(
	entry: ServiceEntry,
	index: number,
	{ namespace, name }: ObjectName,
	inventory: Inventory,
): WorkloadAddress | undefined {
	const { addresses, networks } = endpointsOf(entry);
	const address = addresses[index];
	const local = localNetwork(inventory);
	if (address === undefined || (networks[index] || local) !== local) {
		return undefined;
	}
	const labels = specOf(entry).endpoints[index]?.labels;
	const waypoint = workloadWaypoint(labels, namespace, inventory);
	return { kind: "ServiceEntry", namespace, name: name ?? "", index, address, waypoint };
}

function workloadWaypoint(
	labels: Readonly<Record<string, string>> | null | undefined,
	namespace: string,
	inventory: Inventory,
): string | undefined {
	// Thousands of endpoints may have no labels, and be asked for by hundreds of addresses.
	return labels === undefined || labels === null
		? inventory.know(unlabelledWaypoint, namespace)
		: workloadBinding(labels, namespace, inventory);
}

function unlabelledWaypoint(namespace: string, inventory: Inventory): string | undefined {
	return workloadBinding(undefined, namespace, inventory);
}

/** The endpoints of an entry as istiod reads them, in their order. */
interface Endpoints {
	/** Undefined where ztunnel does not know one by an address. */
	readonly addresses: readonly (AddressRange | undefined)[];
	/** Empty: the network of pods. */
	readonly networks: readonly string[];
	readonly list: AddressList;
}

// An entry of the world is replaced and never changed, and every address of every other entry asks for its endpoints.
const known = new WeakMap<ServiceEntry, Endpoints>();

function endpointsOf(entry: ServiceEntry): Endpoints {
	let read = known.get(entry);
	if (read === undefined) {
		read = readEndpoints(specOf(entry).endpoints);
		known.set(entry, read);
	}
	return read;
}

function readEndpoints(endpoints: readonly WorkloadEntrySpec[]): Endpoints {
	const addresses = endpoints.map(({ address }) => machineAddress(address ?? ""));
	const networks: string[] = [];
	for (const endpoint of endpoints) {
		// istiod keeps the network of an endpoint for all that follow it.
		networks.push(endpoint.network || networks.at(-1) || "");
	}
	return { addresses, networks, list: listAddresses(addresses) };
}

function machineAddress(text: string): AddressRange | undefined {
	return text.includes("/") ? undefined : readAsIstiod(text);
}

/** The workload that istiod makes of a WorkloadEntry; undefined where ztunnel does not know it by an address. */
export function workloadOf(
	{ metadata, spec }: WorkloadEntry,
	{ namespace, name }: ObjectName,
	inventory: Inventory,
): WorkloadAddress | undefined {
	const local = localNetwork(inventory);
	const address = machineAddress(spec?.address ?? "");
	if (address === undefined || (spec?.network || local) !== local) {
		return undefined;
	}
	// The labels of both count, and those of the metadata first (serviceentry/conversion.go: ConvertClientWorkloadEntry).
	const waypoint = workloadBinding({ ...spec?.labels, ...metadata?.labels }, namespace, inventory);
	return { kind: "WorkloadEntry", namespace, name: name ?? "", index: 0, address, waypoint };
}

/** The network of pods and of whatever names none (Istio pilot/pkg/serviceregistry/ambient/networks.go). */
export function localNetwork(inventory: Inventory): string {
	return inventory.know(networkOf, inventory.mesh.rootNamespace);
}

function networkOf(namespace: string, inventory: Inventory): string {
	const labels = inventory.get("Namespace", "", namespace)?.metadata?.labels;
	return labelOf(labels, "topology.istio.io/network") ?? "";
}

/** More workloads than this in a block are not looked at: enough to find one that matters, few enough to wait for. */
const mostWorkloads = 256;

/** The workloads of other objects than `self` that have an address in a range. */
export function workloadsWithin(
	range: AddressRange,
	self: ObjectName,
	inventory: Inventory,
): Iterable<WorkloadAddress> {
	const key = bucketOfAddressesIn(range);
	const isNear =
		isAny(inventory.lookup("serviceEntryByEndpoint", key)) ||
		isAny(inventory.lookup("workloadEntryByAddress", key));
	// Most addresses are those of no workload, nor near one.
	return isNear ? firstWithin(key, range, self, inventory) : none;
}

const none: readonly WorkloadAddress[] = [];

function* firstWithin(
	key: string,
	range: AddressRange,
	self: ObjectName,
	inventory: Inventory,
): Iterable<WorkloadAddress> {
	let found = 0;
	for (const workload of allWithin(key, range, self, inventory)) {
		yield workload;
		if (++found === mostWorkloads) {
			return;
		}
	}
}

function* allWithin(
	key: string,
	range: AddressRange,
	self: ObjectName,
	inventory: Inventory,
): Iterable<WorkloadAddress> {
	const asked = spanned(range);
	for (const entry of inventory.know(entriesOf, key)) {
		// A thousand entries may stand under the key, and most have no endpoint in the range.
		if (!isAny(endpointsOf(entry).list.within(asked))) {
			continue;
		}
		const objectName = objectNameOf(entry);
		if (!(objectName.namespace === self.namespace && objectName.name === self.name)) {
			yield* within(entry, asked, objectName, inventory);
		}
	}
	const { machines, list } = inventory.know(machinesOf, key);
	for (const place of list.within(asked)) {
		const machine = machines[place];
		const workload = machine && workloadOf(machine, objectNameOf(machine), inventory);
		if (workload !== undefined) {
			yield workload;
		}
	}
}

function* within(
	entry: ServiceEntry,
	asked: SpannedRange,
	objectName: ObjectName,
	inventory: Inventory,
): Iterable<WorkloadAddress> {
	for (const index of endpointsOf(entry).list.within(asked)) {
		if (inventory.know(isIgnored, entry)) {
			return;
		}
		const workload = workloadAt(entry, index, objectName, inventory);
		if (workload !== undefined) {
			yield workload;
		}
	}
}

function isIgnored(entry: ServiceEntry, inventory: Inventory): boolean {
	return whyIgnored(entry, entry.metadata?.namespace ?? "", inventory) !== undefined;
}

function entriesOf(key: string, inventory: Inventory): readonly ServiceEntry[] {
	return [...inventory.lookup("serviceEntryByEndpoint", key)];
}

interface Machines {
	readonly machines: readonly WorkloadEntry[];
	readonly list: AddressList;
}

function machinesOf(key: string, inventory: Inventory): Machines {
	const machines = [...inventory.lookup("workloadEntryByAddress", key)];
	return { machines, list: listAddresses(machines.map(({ spec }) => machineAddress(spec?.address ?? ""))) };
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
	const meeting = overlapsOf(workload.address, self, inventory, governed);
	for (const { entry, objectName, range } of meeting) {
		const waypoint = inventory.know(waypointAskedBy, entry);
		if (waypoint !== undefined && waypoint !== workload.waypoint) {
			return { entry, objectName, range, waypoint };
		}
	}
	return undefined;
}

const manyEntries = 32;

/** Of many entries under a key those that ask for a waypoint: thousands of endpoints may be asked for. */
function governedUnder(key: string, inventory: Inventory): Iterable<ServiceEntry> {
	return inventory.know(governedAmongMany, key) ?? entriesUnder(key, inventory);
}

const governed = underKeys(governedUnder);

function governedAmongMany(key: string, inventory: Inventory): readonly ServiceEntry[] | undefined {
	const entries = [...entriesUnder(key, inventory)];
	return entries.length < manyEntries
		? undefined
		: entries.filter((entry) => inventory.know(waypointAskedBy, entry) !== undefined);
}

/** The waypoint that the labels of a stored entry or its namespace ask for, unless istiod ignores it. */
function waypointAskedBy(entry: ServiceEntry, inventory: Inventory): string | undefined {
	if (inventory.know(isIgnored, entry)) {
		return undefined;
	}
	const { metadata } = entry;
	const namespace = metadata?.namespace ?? "";
	const labels = inventory.get("Namespace", "", namespace)?.metadata?.labels;
	const request = requestedWaypoint(metadata?.labels, namespace, labels);
	return request.asked ? `${request.waypoint.namespace}/${request.waypoint.name}` : undefined;
}

/** `KIND NAMESPACE/NAME`. */
export function formatWorkload({ kind, namespace, name }: WorkloadAddress): string {
	return `${kind} ${mention(`${namespace}/${name}`)}`;
}
