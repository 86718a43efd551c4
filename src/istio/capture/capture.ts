import type { AddressRange } from "../../core/address-range.ts";
import { isSingle, parseAddressRange } from "../../core/address-range.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { Service, ServiceEntry } from "../../core/kinds.ts";
import { isAllocated, specOf } from "../entry/entry.ts";
import { isWildcard } from "../entry/hosts.ts";
import { labelOf, selectorMatches } from "../waypoint/label-selector.ts";
import type { Binding } from "../waypoint/waypoint.ts";
import { bindingOf, visibilityOf } from "../waypoint/waypoint.ts";

/** Where an object stands; the name is undefined while the API server has not given one (generateName). */
export interface ObjectName {
	readonly namespace: string;
	readonly name: string | undefined;
}

/** Why istiod leaves a whole ServiceEntry out of ambient, without a condition or a message anywhere. */
export type Ignored =
	| { readonly reason: "revision"; readonly revision: string }
	| { readonly reason: "address"; readonly index: number; readonly address: string }
	| { readonly reason: "block"; readonly index: number; readonly address: string }
	| { readonly reason: "visibility" }
	| { readonly reason: "discovery" };

/**
 * Whether istiod ignores an entry: another revision's (crdclient), an address it cannot parse, a block of addresses
 * before Istio 1.30 (ambient/helpers.go: parseCidrOrIP), visibility NONE (ambient/services.go: serviceEntriesInfo), a
 * namespace that meshConfig.discoverySelectors leave out (pkg/kube/namespace/filter.go).
 */
export function whyIgnored(
	entry: ServiceEntry,
	namespace: string,
	inventory: Inventory,
): Ignored | undefined {
	const revision = labelOf(entry.metadata?.labels, "istio.io/rev");
	if (revision !== undefined && !inventory.mesh.revisions.has(revision)) {
		return { reason: "revision", revision };
	}
	for (const [index, range] of rangesOfEntry(entry).entries()) {
		const address = specOf(entry).addresses[index] ?? "";
		if (range === undefined) {
			return { reason: "address", index, address };
		}
		if (!isSingle(range) && inventory.mesh.istioMinor < 30) {
			return { reason: "block", index, address };
		}
	}
	if (!isDiscovered(namespace, inventory)) {
		return { reason: "discovery" };
	}
	return visibilityOf(namespace, inventory) === "NONE" ? { reason: "visibility" } : undefined;
}

/** Whether istiod looks at a namespace at all; the root namespace is no exception. */
function isDiscovered(namespace: string, inventory: Inventory): boolean {
	const { discoverySelectors } = inventory.mesh;
	if (discoverySelectors.length === 0) {
		return true;
	}
	const labels = inventory.get("Namespace", "", namespace)?.metadata?.labels ?? {};
	const named = { "kubernetes.io/metadata.name": namespace, ...labels };
	return discoverySelectors.some((selector) => selectorMatches(selector, named));
}

/**
 * The addresses that istiod makes of a listed text: no zone (ambient/helpers.go: parseCidrOrIP). Its validation lets a
 * zone with slashes pass as an address, which this reads as a block.
 */
export function readAsIstiod(address: string): AddressRange | undefined {
	const percent = address.indexOf("%");
	return parseAddressRange(
		percent > 0 && percent < address.length - 1 && !address.includes("/")
			? address.slice(0, percent)
			: address,
	);
}

// An entry of the world is replaced and never changed, and every address of every other entry asks for its ranges.
const readRanges = new WeakMap<ServiceEntry, readonly (AddressRange | undefined)[]>();

/** The listed addresses of an entry as istiod reads them, in their order; undefined where it cannot. */
export function rangesOfEntry(entry: ServiceEntry): readonly (AddressRange | undefined)[] {
	const { addresses } = specOf(entry);
	let ranges = readRanges.get(entry);
	if (ranges === undefined) {
		ranges = addresses.map(readAsIstiod);
		if (addresses.length > 0) {
			readRanges.set(entry, ranges);
		}
	}
	return ranges;
}

/** How ztunnel knows a host: by addresses that istiod allocates, by listed ones, or not at all. */
export type AddressSource = "automatic" | "listed" | "none";

/** Where the addresses of a host come from (ambient/services.go: constructServiceEntries). */
export function addressSource(entry: ServiceEntry, host: string): AddressSource {
	const { addresses, resolution } = specOf(entry);
	if (addresses.length > 0) {
		return "listed";
	}
	return isAllocated(entry) && (!isWildcard(host) || resolution === "DYNAMIC_DNS") ? "automatic" : "none";
}

/** An object that answers for a host. */
export interface HostOwner {
	readonly kind: "ServiceEntry" | "Service";
	readonly namespace: string;
	readonly name: string;
	/** When it was created, in milliseconds; infinity while it is being written. */
	readonly created: number;
	/** The entry itself; undefined for a Service. */
	readonly entry: ServiceEntry | undefined;
}

/** The owner that an entry would be. */
export function ownerOf(entry: ServiceEntry, { namespace, name }: ObjectName): HostOwner {
	const { creationTimestamp } = entry.metadata ?? {};
	const created = creationTimestamp ? Date.parse(creationTimestamp) : Number.NaN;
	return {
		kind: "ServiceEntry",
		namespace,
		name: name ?? "",
		created: Number.isNaN(created) ? Number.POSITIVE_INFINITY : created,
		entry,
	};
}

/** The Service whose name in the cluster's DNS a host is; ExternalName Services do not count in ambient. */
export function serviceBehind(host: string, inventory: Inventory): Service | undefined {
	const suffix = `.svc.${inventory.mesh.clusterDomain}`;
	const parts = host.endsWith(suffix) ? host.slice(0, -suffix.length).split(".") : [];
	const [name, namespace] = parts;
	if (parts.length !== 2 || name === undefined || namespace === undefined) {
		return undefined;
	}
	const service = inventory.get("Service", namespace, name);
	return service?.spec?.type === "ExternalName" ? undefined : service;
}

/** How an entry stands among all objects that answer for one of its hosts. */
export interface HostStanding {
	/** The object of the same namespace that takes the host from the entry. */
	readonly lostTo: HostOwner | undefined;
	/** Another entry of the namespace was created in the same second, so that either may win. */
	readonly isTied: boolean;
	/** Other entries of the same namespace with this host; listed when asked for. */
	readonly rivals: readonly HostOwner[];
	/** The owner in each other namespace; listed when asked for. */
	readonly elsewhere: readonly HostOwner[];
	/** Whether clients of namespaces without an owner of their own are given this entry. */
	readonly canonical: boolean;
}

/** All that answer for a host, as the world has them: the same for each entry with the host. */
export interface HostRoll {
	readonly service: HostOwner | undefined;
	/** The one that answers in each namespace, where no Service does. */
	readonly firsts: ReadonlyMap<string, HostOwner>;
	/** The oldest two of those that answer in public namespaces: each is of another namespace. */
	readonly oldestPublic: readonly HostOwner[];
	/** Every entry that istiod takes for it, in the order of the world. */
	readonly owners: readonly HostOwner[];
	/** Those of one namespace; undefined where it has none. */
	ownersIn(namespace: string): NamespaceOwners | undefined;
}

/** The entries of one namespace that istiod takes for a host. */
interface NamespaceOwners {
	readonly owners: readonly HostOwner[];
	/** The one of a name. */
	named(name: string): HostOwner | undefined;
	/** How many were created at a time. */
	createdAt(time: number): number;
}

/** Finds all that answer for a host, by the spelling that istiod compares. */
export type FindRoll = (host: string) => HostRoll;

/** Finds the roll of each host once, for as long as the world does not change: many entries may share a host. */
export function rollsOf(inventory: Inventory): FindRoll {
	const rolls = new Map<string, HostRoll>();
	return (host) => {
		const roll = rolls.get(host) ?? rollOf(host, inventory);
		rolls.set(host, roll);
		return roll;
	};
}

/** That of the many hosts which no stored object has yet. */
const emptyRoll: HostRoll = {
	service: undefined,
	firsts: new Map(),
	oldestPublic: [],
	owners: [],
	ownersIn: () => undefined,
};

function rollOf(host: string, inventory: Inventory): HostRoll {
	const service = serviceBehind(host, inventory);
	const owners = ownersOf(host, inventory);
	return owners.length === 0 && service === undefined
		? emptyRoll
		: new ReadRoll(service === undefined ? undefined : ownerOfService(service), owners, inventory);
}

/** A host may stand in thousands of entries, and an entry have hundreds of hosts: what one asks for is not made for all. */
class ReadRoll implements HostRoll {
	readonly service: HostOwner | undefined;
	readonly firsts: ReadonlyMap<string, HostOwner>;
	readonly oldestPublic: readonly HostOwner[];
	readonly owners: readonly HostOwner[];
	/** Of the namespace that was asked for first; of all once another one is. */
	#asked: { readonly namespace: string; readonly owners: NamespaceOwners | undefined } | undefined;
	#byNamespace: ReadonlyMap<string, NamespaceOwners> | undefined;

	constructor(service: HostOwner | undefined, owners: readonly HostOwner[], inventory: Inventory) {
		this.service = service;
		this.owners = owners;
		this.firsts = firstsOf(owners);
		// What is only being written has no time, and so stands in the order of the world.
		const shown = [...this.firsts.values()].filter((each) => isPublic(each.namespace, inventory));
		const canonical = oldest(shown);
		const next = oldest(shown.filter((each) => each !== canonical));
		this.oldestPublic = [canonical, next].filter((each) => each !== undefined);
	}

	ownersIn(namespace: string): NamespaceOwners | undefined {
		if (!this.firsts.has(namespace)) {
			return undefined;
		}
		if (this.#asked === undefined) {
			const owners = new ReadOwners(this.owners.filter((each) => each.namespace === namespace));
			this.#asked = { namespace, owners };
		}
		if (this.#asked.namespace === namespace) {
			return this.#asked.owners;
		}
		this.#byNamespace ??= new Map(
			Map.groupBy(this.owners, (each) => each.namespace)
				.entries()
				.map(([each, owners]) => [each, new ReadOwners(owners)]),
		);
		return this.#byNamespace.get(namespace);
	}
}

/** The oldest of each namespace. */
function firstsOf(owners: readonly HostOwner[]): ReadonlyMap<string, HostOwner> {
	const firsts = new Map<string, HostOwner>();
	let last: HostOwner | undefined;
	for (const owner of owners) {
		const first = last?.namespace === owner.namespace ? last : firsts.get(owner.namespace);
		last = first === undefined || comesBefore(owner, first) ? owner : first;
		if (last === owner) {
			firsts.set(owner.namespace, owner);
		}
	}
	return firsts;
}

function isPublic(namespace: string, inventory: Inventory): boolean {
	return inventory.mesh.serviceEntryVisibility === undefined || inventory.know(isPublicNamespace, namespace);
}

function isPublicNamespace(namespace: string, inventory: Inventory): boolean {
	return visibilityOf(namespace, inventory) === "PUBLIC";
}

class ReadOwners implements NamespaceOwners {
	readonly owners: readonly HostOwner[];
	#asked = false;
	#byName: ReadonlyMap<string, HostOwner> | undefined;
	#countAt: ReadonlyMap<number, number> | undefined;

	constructor(owners: readonly HostOwner[]) {
		this.owners = owners;
	}

	named(name: string): HostOwner | undefined {
		if (this.#isAskedOnce()) {
			return this.owners.find((each) => each.name === name);
		}
		this.#byName ??= new Map(this.owners.map((each) => [each.name, each]));
		return this.#byName.get(name);
	}

	createdAt(time: number): number {
		if (this.#countAt === undefined && this.#byName === undefined) {
			return this.owners.reduce((sum, { created }) => (created === time ? sum + 1 : sum), 0);
		}
		this.#countAt ??= countByTime(this.owners);
		return this.#countAt.get(time) ?? 0;
	}

	/** For one who asks a list is searched; for the many who may ask it is put in order. */
	#isAskedOnce(): boolean {
		const before = this.#asked;
		this.#asked = true;
		return !before;
	}
}

function countByTime(owners: readonly HostOwner[]): ReadonlyMap<number, number> {
	const countAt = new Map<number, number>();
	for (const { created } of owners) {
		countAt.set(created, (countAt.get(created) ?? 0) + 1);
	}
	return countAt;
}

/**
 * Who answers for a host, by the spelling that istiod compares: in each namespace a Service, else the oldest entry;
 * one of these is canonical (ambient/services.go: selectWorkloadServices).
 */
export function hostOwnership(
	host: string,
	entry: ServiceEntry,
	objectName: ObjectName,
	inventory: Inventory,
	findRoll: FindRoll = (each) => inventory.know(rollOf, each),
): HostStanding {
	return new Standing(entry, objectName, inventory, findRoll(host));
}

/** What is asked of few hosts is worked out when it is asked for. */
class Standing implements HostStanding {
	readonly lostTo: HostOwner | undefined;
	readonly isTied: boolean;
	readonly canonical: boolean;
	readonly #roll: HostRoll;
	readonly #namespace: string;
	readonly #stored: HostOwner | undefined;

	constructor(entry: ServiceEntry, objectName: ObjectName, inventory: Inventory, roll: HostRoll) {
		const { namespace, name } = objectName;
		const { service, firsts } = roll;
		const self = ownerOf(entry, objectName);
		const own = roll.ownersIn(namespace);
		// The entry as it is stored, which an update may be about to replace.
		const stored = name === undefined ? undefined : own?.named(name);
		this.lostTo =
			service?.namespace === namespace
				? service
				: takerOf(self, stored, firsts.get(namespace), own?.owners ?? none);
		const tied = (own?.createdAt(self.created) ?? 0) - (stored?.created === self.created ? 1 : 0);
		this.isTied = this.lostTo?.kind !== "Service" && tied > 0;
		this.canonical =
			this.lostTo === undefined &&
			service === undefined &&
			visibilityOf(namespace, inventory) === "PUBLIC" &&
			comesFirst(self, stored, roll);
		this.#roll = roll;
		this.#namespace = namespace;
		this.#stored = stored;
	}

	get rivals(): readonly HostOwner[] {
		const own = this.#roll.ownersIn(this.#namespace)?.owners ?? none;
		return this.#stored === undefined ? own : own.filter((each) => each !== this.#stored);
	}

	get elsewhere(): readonly HostOwner[] {
		const { service, firsts } = this.#roll;
		if (service === undefined && firsts.size === 0) {
			return none;
		}
		const others: HostOwner[] =
			service === undefined || service.namespace === this.#namespace ? [] : [service];
		for (const first of firsts.values()) {
			if (first.namespace !== this.#namespace && first.namespace !== service?.namespace) {
				others.push(first);
			}
		}
		return others;
	}
}

const none: readonly HostOwner[] = [];

/** The entry of its namespace that takes a host from an entry, once that is as it is written. */
function takerOf(
	self: HostOwner,
	stored: HostOwner | undefined,
	first: HostOwner | undefined,
	owners: readonly HostOwner[],
): HostOwner | undefined {
	if (first === undefined) {
		return undefined;
	}
	if (stored?.created === self.created) {
		return first === stored ? undefined : first;
	}
	const now =
		stored === undefined
			? oldest([first, self])
			: oldest(owners.map((each) => (each === stored ? self : each)));
	return now === self ? undefined : now;
}

/** Whether an entry is older than those that answer in the other public namespaces. */
function comesFirst(
	self: HostOwner,
	stored: HostOwner | undefined,
	{ oldestPublic, owners }: HostRoll,
): boolean {
	const other = oldestPublic.find((each) => each.namespace !== self.namespace);
	if (other === undefined || comesBefore(self, other) || comesBefore(other, self)) {
		return other === undefined || comesBefore(self, other);
	}
	return stored !== undefined && owners.indexOf(stored) < owners.indexOf(other);
}

/** Every entry that istiod takes for a host, as it is written. */
export function ownersOf(host: string, inventory: Inventory): readonly HostOwner[] {
	const owners: HostOwner[] = [];
	const name = canonicalHost(host);
	for (const entry of inventory.lookup("serviceEntryByHost", name)) {
		const owner = isSpelled(entry, host, name === host) ? inventory.know(storedOwner, entry) : undefined;
		if (owner !== undefined) {
			owners.push(owner);
		}
	}
	return owners;
}

/** The owner that a stored entry is; undefined where istiod ignores it. */
function storedOwner(entry: ServiceEntry, inventory: Inventory): HostOwner | undefined {
	const namespace = entry.metadata?.namespace ?? "";
	return whyIgnored(entry, namespace, inventory) === undefined
		? ownerOf(entry, { namespace, name: entry.metadata?.name ?? "" })
		: undefined;
}

/** More hosts than this are looked up and not searched. */
const fewHosts = 8;

interface HostSet {
	readonly hosts: ReadonlySet<string>;
	/** Every host is in the spelling in which hosts are compared, as nearly all are. */
	readonly isCanonical: boolean;
}

const hostSets = new WeakMap<ServiceEntry, HostSet>();

/** Whether an entry that was found under the canonical form of a host has it in the spelling that istiod compares. */
function isSpelled(entry: ServiceEntry, host: string, isCanonical: boolean): boolean {
	const hosts = entry.spec?.hosts ?? [];
	if (hosts.length <= fewHosts) {
		return hosts.includes(host);
	}
	let set = hostSets.get(entry);
	if (set === undefined) {
		set = { hosts: new Set(hosts), isCanonical: hosts.every((each) => canonicalHost(each) === each) };
		hostSets.set(entry, set);
	}
	return (isCanonical && set.isCanonical) || set.hosts.has(host);
}

/** Of the entries that istiod takes for a host those that answer for it in their namespaces: the oldest, where no Service does. */
export function winnersOf(host: string, inventory: Inventory): readonly HostOwner[] {
	return inventory.know(findWinners, host);
}

function findWinners(host: string, inventory: Inventory): readonly HostOwner[] {
	const owners = ownersOf(host, inventory);
	const service = serviceBehind(host, inventory)?.metadata?.namespace;
	if (owners.length === 1 && service === undefined) {
		return owners;
	}
	const firsts = firstsOf(owners);
	return owners.filter((owner) => firsts.get(owner.namespace) === owner && owner.namespace !== service);
}

/** `NAMESPACE/NAME` of the waypoint that the labels of a stored entry bind it to, as ztunnel is told. */
export function waypointOfStored(
	entry: ServiceEntry,
	namespace: string,
	inventory: Inventory,
): string | undefined {
	return namespace === entry.metadata?.namespace
		? inventory.know(ownWaypoint, entry)
		: waypointOf(bindingOf(entry.metadata?.labels, namespace, inventory));
}

function ownWaypoint({ metadata }: ServiceEntry, inventory: Inventory): string | undefined {
	return waypointOf(bindingOf(metadata?.labels, metadata?.namespace ?? "", inventory));
}

function ownerOfService(service: Service): HostOwner {
	return {
		kind: "Service",
		namespace: service.metadata?.namespace ?? "",
		name: service.metadata?.name ?? "",
		created: Date.parse(service.metadata?.creationTimestamp ?? ""),
		entry: undefined,
	};
}

/**
 * Whether one owner comes before another: by creation, then by name and namespace, as istiod orders configurations
 * (pilot/pkg/model/config.go: sortConfigByCreationTime). Of ambient's owners that were created in the same second istiod
 * takes either (ambient/services.go: selectWorkloadServices); here the same one is taken in every process. One without a
 * time is being written: younger than all that have one, and of two of these neither comes first by itself.
 */
function comesBefore(one: HostOwner, other: HostOwner): boolean {
	if (one.created !== other.created || one.created === Number.POSITIVE_INFINITY) {
		return one.created < other.created;
	}
	return one.name === other.name ? one.namespace < other.namespace : one.name < other.name;
}

/** The first of the oldest; where none comes first by itself, the first of the world. */
function oldest(owners: readonly HostOwner[]): HostOwner | undefined {
	let found: HostOwner | undefined;
	for (const owner of owners) {
		if (found === undefined || comesBefore(owner, found)) {
			found = owner;
		}
	}
	return found;
}

/** What istiod does with one host of an entry. */
export interface HostCapture {
	readonly host: string;
	/** The condition on the entry; `None` too where istiod ignores it or it has lost all its hosts. */
	readonly binding: Binding;
	readonly ignored: Ignored | undefined;
	readonly standing: HostStanding;
	/** Whether ztunnel is told of the host at all. */
	readonly known: boolean;
	/** What ztunnel knows the host by; `none` where it is not told of it. */
	readonly addresses: AddressSource;
	/** Istio has not allocated the addresses yet: traffic goes past ztunnel's services until it does. */
	readonly pending: boolean;
	/** `NAMESPACE/NAME` of the waypoint that ztunnel is given; undefined: it connects directly. */
	readonly waypoint: string | undefined;
	readonly canonical: boolean;
}

const unbound: Binding = { status: "None", request: { asked: false } };

/** What istiod does with each host of an entry, once each; who asks for many entries of one world shares the rolls. */
export function captureOf(
	entry: ServiceEntry,
	objectName: ObjectName,
	inventory: Inventory,
	findRoll?: FindRoll,
): readonly HostCapture[] {
	const ignored = whyIgnored(entry, objectName.namespace, inventory);
	const asked = bindingOf(entry.metadata?.labels, objectName.namespace, inventory);
	const { hosts: written } = specOf(entry);
	const hosts = written.length > 1 ? [...new Set(written)] : written;
	const standings = hosts.map((host) => hostOwnership(host, entry, objectName, inventory, findRoll));
	const isListed = ignored === undefined && standings.some((each) => each.lostTo === undefined);
	const binding = isListed ? asked : unbound;
	return hosts.map((host, index) => {
		const standing = standings[index] ?? hostOwnership(host, entry, objectName, inventory, findRoll);
		const known = ignored === undefined && standing.lostTo === undefined;
		const addresses = known ? addressSource(entry, host) : "none";
		return {
			host,
			binding,
			ignored,
			standing,
			known,
			addresses,
			pending: addresses === "automatic" && !inventory.offline && !hasAllocation(entry, host),
			waypoint: known ? waypointOf(binding) : undefined,
			canonical: known && standing.canonical,
		};
	});
}

function hasAllocation(entry: ServiceEntry, host: string): boolean {
	return (entry.status?.addresses ?? []).some((each) => each.host === host && (each.value ?? "") !== "");
}

// A waypoint whose address is neither a name nor an IP address: the condition is True, and ztunnel is given none.
function waypointOf(binding: Binding): string | undefined {
	return binding.status === "True" && binding.state.reachable
		? `${binding.request.waypoint.namespace}/${binding.request.waypoint.name}`
		: undefined;
}
