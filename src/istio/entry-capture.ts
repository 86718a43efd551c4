import { canonicalHost } from "../core/host-pattern.ts";
import type { Kind, ServiceEntry } from "../core/kinds.ts";
import type { RuleContext } from "../core/rule.ts";
import type { HostOwner } from "./capture.ts";
import { captureOf } from "./capture.ts";
import { entryBinding, formatWaypoint } from "./entry-binding.ts";
import { isWildcard } from "./names.ts";

/** What asking for the wanted waypoint may look at. */
export const wantedWaypointReads: readonly Kind[] = ["Namespace"];

/**
 * The waypoint that an entry asks for, or that its namespace's policy wants for it, as people write it; undefined
 * where nobody wants one, so that nothing is lost when the entry is not captured.
 */
export function wantedWaypoint(entry: ServiceEntry, context: RuleContext): string | undefined {
	return context.once(readWanted, entry);
}

function readWanted(entry: ServiceEntry, context: RuleContext): string | undefined {
	const { target } = entryBinding(entry, context);
	return target === undefined ? undefined : formatWaypoint(target);
}

/** What looking at another entry's way may look at. */
export const waypointOfReads: readonly Kind[] = [
	"ServiceEntry",
	"Service",
	"Namespace",
	"KubernetesGateway",
	"GatewayClass",
];

/** The waypoint that ztunnel is given for a host of another entry; undefined: it connects directly. */
export function waypointOfOwner(owner: HostOwner, host: string, context: RuleContext): string | undefined {
	if (owner.entry === undefined) {
		return undefined;
	}
	return captureOf(owner.entry, owner, context.inventory).find((each) => each.host === host)?.waypoint;
}

/** Whether ambient pods of an owner's namespace reach a host through that owner without any waypoint. */
export function isOpen(owner: HostOwner, host: string, context: RuleContext): boolean {
	if (owner.entry === undefined || context.inventory.policy(owner.namespace).ambient !== "enforced") {
		return false;
	}
	const capture = captureOf(owner.entry, owner, context.inventory).find((each) => each.host === host);
	return capture?.known === true && capture.addresses !== "none" && capture.waypoint === undefined;
}

/** Whether an entry is one of a namespace whose pods ztunnel serves, so that what ambient does matters there. */
export function isAmbient(context: RuleContext): boolean {
	return context.policy.ambient === "enforced";
}

/** Whether an entry names single hosts only, all by itself, and shall take a waypoint. */
export function isSoleOwner(entry: ServiceEntry, context: RuleContext): boolean {
	const { namespace, name, inventory } = context;
	for (const host of entry.spec?.hosts ?? []) {
		if (isWildcard(host)) {
			return false;
		}
		for (const { metadata } of inventory.lookup("serviceEntryByHost", canonicalHost(host))) {
			if (metadata?.namespace !== namespace || metadata.name !== name) {
				return false;
			}
		}
	}
	return entryBinding(entry, context).target !== undefined;
}
