import { canonicalHost } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";

/** The domain of Services that several clusters share (Kubernetes multi-cluster Services API, KEP-1645). */
const clusterSetDomain = "clusterset.local";

/**
 * Whether a host is a name of this cluster: a short name, `NAME.NAMESPACE.svc`, or one under the cluster's domain. A
 * wildcard is one only where every name that it stands for is.
 */
export function isClusterHost(host: string, inventory: Inventory): boolean {
	const name = canonicalHost(host);
	return (
		(!name.includes(".") && !name.startsWith("*")) ||
		isUnderDomain("svc", name) ||
		isUnderDomain(inventory.mesh.clusterDomain, name) ||
		isUnderDomain(clusterSetDomain, name)
	);
}

/** Whether a canonical name, or every name of a wildcard, lies below a domain or is it. */
export function isUnderDomain(domain: string, name: string): boolean {
	const before = name.length - domain.length - 1;
	return name.endsWith(domain) && (before < 0 || name.charAt(before) === ".");
}
