import { parseAddressRange } from "../../core/address-range.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { RuleContext } from "../../core/rule.ts";
import { isExternal } from "../waypoint/binding.ts";

/** The domain of Services that several clusters share (Kubernetes multi-cluster Services API, KEP-1645). */
const clusterSetDomain = "clusterset.local";

/**
 * Whether a host is a name of this cluster: a short name, `NAME.NAMESPACE.svc`, or one under the cluster's domain. A
 * wildcard is one only where every name that it stands for is.
 */
export function isClusterHost(host: string, inventory: Inventory): boolean {
	const name = canonicalHost(host);
	return (
		!(name.includes(".") || name.startsWith("*")) ||
		isUnder("svc", name) ||
		isUnder(inventory.mesh.clusterDomain, name) ||
		isUnder(clusterSetDomain, name)
	);
}

function isUnder(domain: string, name: string): boolean {
	return name.endsWith(domain) && (name.length === domain.length || name.at(-domain.length - 1) === ".");
}

/**
 * Whether the namespace's limits hold for an entry: every external one, and every one that says MESH_INTERNAL of a
 * host or to an endpoint outside the cluster, since the location is its author's word and changes nothing in ambient.
 * A selector makes no difference: whoever may write the entry writes the WorkloadEntries that it selects, too.
 */
export function isGoverned(entry: ServiceEntry, { inventory }: Pick<RuleContext, "inventory">): boolean {
	return (
		isExternal(entry) ||
		(entry.spec?.hosts ?? []).some((host) => !isClusterHost(host, inventory)) ||
		(entry.spec?.endpoints ?? []).some(({ address }) => isOutsideName(address ?? "", inventory))
	);
}

/** Whether an endpoint's address is a name outside the cluster: traffic for the entry's hosts goes there instead. */
export function isOutsideName(address: string, inventory: Inventory): boolean {
	return (
		address !== "" &&
		!address.startsWith("unix://") &&
		parseAddressRange(address) === undefined &&
		!isClusterHost(address, inventory)
	);
}
