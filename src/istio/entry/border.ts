import { parseAddressRange, rangeContains } from "../../core/address-range.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { Kind, ServiceEntry, WorkloadEntry } from "../../core/kinds.ts";
import type { RuleContext } from "../../core/rule.ts";
import { labelOf } from "../waypoint/label-selector.ts";
import { isIPAddress, isPublicAddress } from "./addresses.ts";
import { isUnderDomain } from "./cluster-hosts.ts";
import { specOf } from "./entry.ts";
import { isExternal } from "./facts.ts";

/** What asking whether an entry leads out of the cluster may look at. */
export const borderReads: readonly Kind[] = ["Service", "WorkloadEntry"];
/** What of it an answer may rest on not being there. */
export const borderConfirms: readonly Kind[] = ["Service"];

/** Where an entry is written, and the world that answers. */
type Surroundings = Pick<RuleContext, "namespace" | "inventory">;

/** Whether traffic can leave the cluster by an entry, worked out once for all rules of a judgement. */
export function leavesCluster(entry: ServiceEntry, context: RuleContext): boolean {
	return context.know(leadsOutside, entry);
}

/**
 * Whether the namespace's limits hold for an entry: wherever traffic can leave, and for every name outside the
 * cluster. A selector makes no difference to the name: whoever may write the entry writes the WorkloadEntries, too.
 */
export function isGoverned(entry: ServiceEntry, surroundings: Surroundings): boolean {
	return (
		leadsOutside(entry, surroundings) ||
		(entry.spec?.hosts ?? []).some((host) => isOutsideHost(host, surroundings.inventory))
	);
}

/**
 * Whether traffic can leave the cluster by an entry, whatever its author says of its location: ambient does not read
 * the location. Inside is what the configuration calls internal (the cluster's domain in any case), what a Service of
 * the cluster answers, and what a selector finds, unless it finds a machine that leads outside (`opensEntry`).
 */
function leadsOutside(entry: ServiceEntry, surroundings: Surroundings): boolean {
	const { inventory } = surroundings;
	const { internal } = inventory.settings;
	if (isExternal(entry) && internal.hosts.length === 0) {
		return true;
	}
	const { hosts, endpoints, addresses, resolution, selector } = specOf(entry);
	if (isExternal(entry) && !hosts.every((host) => isDeclaredInternal(host, inventory))) {
		return true;
	}
	if (selector !== undefined) {
		return findsOpening(selector, hosts, surroundings);
	}
	return (
		hosts.some((host) => isOutsideHost(host, inventory)) ||
		endpoints.some(({ address }) => leadsOut(address ?? "", inventory)) ||
		// With resolution NONE a connection goes to the address that the client asked for.
		(resolution === "NONE" && addresses.some((address) => !isInsideAddress(address, inventory))) ||
		// Without endpoints DNS says where a host is: the CNAME of an ExternalName Service, too.
		(resolution !== "NONE" && endpoints.length === 0 && hosts.some((host) => leadsOut(host, inventory)))
	);
}

/**
 * Whether a host is the name of something outside the cluster: neither below the cluster's domain nor below a suffix
 * that the configuration calls internal. A name without a dot is outside: a waypoint finds it by search domains.
 */
export function isOutsideHost(host: string, inventory: Inventory): boolean {
	const name = canonicalHost(host);
	return !(
		isUnderDomain("svc", name) ||
		isUnderDomain(inventory.mesh.clusterDomain, name) ||
		isDeclaredInternal(name, inventory)
	);
}

function isDeclaredInternal(host: string, inventory: Inventory): boolean {
	const name = canonicalHost(host);
	return inventory.settings.internal.hosts.some((suffix) => isUnderDomain(suffix, name));
}

/** Whether an address or a block lies inside: called internal by the configuration, or the address of a Service. */
export function isInsideAddress(text: string, inventory: Inventory): boolean {
	const range = parseAddressRange(text);
	if (range === undefined) {
		return false;
	}
	if (inventory.settings.internal.addresses.some((each) => rangeContains(each, range))) {
		return true;
	}
	const [service] = inventory.lookup("serviceByAddress", text);
	return service !== undefined;
}

/** Whether a target, an address or a name, is what the configuration calls internal. */
export function isDeclaredInside(target: string, inventory: Inventory): boolean {
	const range = parseAddressRange(target);
	return range === undefined
		? isDeclaredInternal(target, inventory)
		: inventory.settings.internal.addresses.some((each) => rangeContains(each, range));
}

/** Whether what an endpoint names may be outside the cluster; what nobody knows is. */
function leadsOut(target: string, inventory: Inventory): boolean {
	// Other rules speak of an empty address, of sockets and of "None", which stands for no address at all.
	if (target === "" || target === "None" || target.startsWith("unix://")) {
		return false;
	}
	if (isIPAddress(target)) {
		return !isInsideAddress(target, inventory);
	}
	return isDeclaredInternal(target, inventory) ? false : followName(target, inventory).isOutside;
}

/** The name outside the cluster to which a name leads, itself or by way of ExternalName Services; undefined: none is known. */
export function outsideName(target: string, inventory: Inventory): string | undefined {
	if (target === "" || target === "None" || target.startsWith("unix://") || isIPAddress(target)) {
		return undefined;
	}
	return followName(target, inventory).name;
}

interface Followed {
	readonly isOutside: boolean;
	/** Undefined where it is inside, or nobody knows. */
	readonly name?: string;
}

/** A chain of ExternalName Services that is longer is a circle, or built to tire whoever follows it. */
const mostSteps = 8;

function followName(target: string, inventory: Inventory): Followed {
	let name = canonicalHost(target);
	for (let step = 0; step < mostSteps; step++) {
		if (isOutsideHost(name, inventory)) {
			return { isOutside: true, name };
		}
		if (isDeclaredInternal(name, inventory)) {
			return { isOutside: false };
		}
		const named = serviceNamed(name);
		const service = named && inventory.get("Service", named.namespace, named.name);
		if (named === undefined || service === undefined) {
			return { isOutside: !cannotSeeServices(named?.namespace, inventory) };
		}
		const { externalName } = service.spec ?? {};
		if (service.spec?.type !== "ExternalName" || !externalName) {
			return { isOutside: false };
		}
		name = canonicalHost(externalName);
	}
	return { isOutside: true };
}

/** The Service that a full name of the cluster is below; a wildcard for many stands for those yet to be written, too. */
function serviceNamed(host: string): { readonly namespace: string; readonly name: string } | undefined {
	const labels = host.split(".");
	// The pods of a headless Service have names below its own.
	const end = labels.indexOf("svc");
	const [name, namespace] = labels.slice(end - 2, end);
	return end < 2 || name === undefined || namespace === undefined || name === "*"
		? undefined
		: { namespace, name };
}

/** Files rarely hold the Services of a namespace: where they hold none, nothing is known of any. */
function cannotSeeServices(namespace: string | undefined, inventory: Inventory): boolean {
	if (!inventory.offline || namespace === undefined) {
		return false;
	}
	const [service] = inventory.inNamespace("Service", namespace);
	return service === undefined;
}

/** The machines of a namespace that a selector finds. */
export function* machinesOf(
	selector: Readonly<Record<string, string>>,
	{ namespace, inventory }: Surroundings,
): Iterable<WorkloadEntry> {
	const wanted = Object.entries(selector);
	for (const machine of inventory.inNamespace("WorkloadEntry", namespace)) {
		if (hasLabels(machine, wanted)) {
			yield machine;
		}
	}
}

/** Whether a selector finds a machine of its namespace that leads outside. */
function findsOpening(
	selector: Readonly<Record<string, string>>,
	hosts: readonly string[],
	surroundings: Surroundings,
): boolean {
	for (const { spec } of machinesOf(selector, surroundings)) {
		if (opensEntry(spec?.address ?? "", hosts, surroundings.inventory)) {
			return true;
		}
	}
	return false;
}

/** Whether a selector of its namespace finds a machine (Istio pilot/pkg/serviceregistry/serviceentry: workload labels). */
export function isSelected(machine: WorkloadEntry, selector: Readonly<Record<string, string>>): boolean {
	return hasLabels(machine, Object.entries(selector));
}

function hasLabels(
	{ metadata, spec }: WorkloadEntry,
	wanted: readonly (readonly [key: string, value: string])[],
): boolean {
	return wanted.every(
		([key, value]) => (labelOf(spec?.labels, key) ?? labelOf(metadata?.labels, key)) === value,
	);
}

/**
 * Whether a machine leads an entry that selects it out of the cluster: it is none of the mesh's, or it stands at an
 * address that nobody calls internal for a name that nobody does either. What only pods answer stays inside.
 */
export function opensEntry(address: string, hosts: readonly string[], inventory: Inventory): boolean {
	return (
		isOutsideMachine(address, inventory) ||
		(isIPAddress(address) &&
			!isInsideAddress(address, inventory) &&
			hosts.some((host) => isOutsideHost(host, inventory)))
	);
}

/** Whether a machine is none of the mesh's: a name outside, or an address on the internet that nobody calls internal. */
export function isOutsideMachine(address: string, inventory: Inventory): boolean {
	return isIPAddress(address)
		? isPublicAddress(address) && !isInsideAddress(address, inventory)
		: leadsOut(address, inventory);
}
