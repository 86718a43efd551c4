import { canonicalHost } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import type { ServiceEntry } from "../core/kinds.ts";
import type { RuleContext } from "../core/rule.ts";
import { isExternal } from "./entry-binding.ts";

/** Whether a host is a name of this cluster: a short name, `*.svc`, or one under the cluster domain. */
export function isClusterHost(host: string, inventory: Inventory): boolean {
	const name = canonicalHost(host).replace(/^\*\.?/, "");
	const domain = inventory.mesh.clusterDomain;
	return (
		!name.includes(".") ||
		name.endsWith(".svc") ||
		name === domain ||
		name.endsWith(`.${domain}`) ||
		/^[a-z0-9-]+\.[a-z0-9-]+\.svc\./.test(name)
	);
}

/**
 * Whether the namespace's limits hold for an entry: every external one, and every one that says MESH_INTERNAL of a
 * host outside the cluster, since the location is its author's word and changes nothing in ambient.
 */
export function isGoverned(entry: ServiceEntry, context: RuleContext): boolean {
	return (
		isExternal(entry) ||
		((entry.spec?.workloadSelector ?? undefined) === undefined &&
			(entry.spec?.hosts ?? []).some((host) => !isClusterHost(host, context.inventory)))
	);
}
