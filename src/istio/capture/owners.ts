import { mention } from "../../core/finding.ts";
import { canonicalHost } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { Kind, ServiceEntry } from "../../core/kinds.ts";
import type { RuleContext } from "../../core/rule.ts";
import { isWildcard } from "../entry/hosts.ts";
import { bindingReads, entryBinding, formatWaypoint } from "../waypoint/binding.ts";
import type { HostCapture, HostOwner } from "./capture.ts";
import { addressSource, waypointOfStored } from "./capture.ts";

/** What asking for the wanted waypoint may look at. */
export const wantedWaypointReads: readonly Kind[] = bindingReads;

/**
 * The waypoint that an entry asks for, or that its namespace's policy wants for it, as people write it; undefined
 * where nobody wants one, so that nothing is lost when the entry is not captured.
 */
export function wantedWaypoint(entry: ServiceEntry, context: RuleContext): string | undefined {
	return context.know(readWanted, entry);
}

function readWanted(entry: ServiceEntry, context: RuleContext): string | undefined {
	const { target } = entryBinding(entry, context);
	return target === undefined ? undefined : formatWaypoint(target);
}

/** What looking at another entry's way may look at. */
export const waypointOfReads: readonly Kind[] = [
	"ServiceEntry",
	"Service",
	"WorkloadEntry",
	"Namespace",
	"KubernetesGateway",
	"GatewayClass",
];

/** The waypoint that ztunnel is given for a host of an entry that answers for it; undefined: it connects directly. */
export function waypointOfOwner({ entry, namespace }: HostOwner, inventory: Inventory): string | undefined {
	return entry === undefined ? undefined : waypointOfStored(entry, namespace, inventory);
}

/** Whether ambient pods of the namespace of an entry that answers for a host reach it without any waypoint. */
export function bypassesWaypoint(owner: HostOwner, host: string, { inventory }: RuleContext): boolean {
	return (
		owner.entry !== undefined && inventory.know(isWildcard(host) ? opensWildcards : opensNames, owner.entry)
	);
}

// Of a host it matters only whether it stands for many, so an entry is asked once for its hundreds of hosts.
function opensWildcards(entry: ServiceEntry, inventory: Inventory): boolean {
	return opens(entry, "*.", inventory);
}

function opensNames(entry: ServiceEntry, inventory: Inventory): boolean {
	return opens(entry, "", inventory);
}

function opens(entry: ServiceEntry, host: string, inventory: Inventory): boolean {
	const namespace = entry.metadata?.namespace ?? "";
	return (
		inventory.policy(namespace).ambient === "enforced" &&
		waypointOfStored(entry, namespace, inventory) === undefined &&
		addressSource(entry, host) !== "none"
	);
}

/** Whether an entry is one of a namespace whose pods ztunnel serves, so that what ambient does matters there. */
export function isAmbient(context: RuleContext): boolean {
	return context.policy.ambient === "enforced";
}

/** Whether another entry has a host of this one. */
export function sharesHosts(entry: ServiceEntry, context: RuleContext): boolean {
	const { namespace, name, inventory } = context;
	for (const host of entry.spec?.hosts ?? []) {
		for (const { metadata } of inventory.lookup("serviceEntryByHost", canonicalHost(host))) {
			if (metadata?.namespace !== namespace || metadata.name !== name) {
				return true;
			}
		}
	}
	return false;
}

/** Whether pods may reach a host in two ways: another entry has it, it stands for many, or this entry takes no waypoint. */
export function mayBeReachedOtherwise(entry: ServiceEntry, context: RuleContext): boolean {
	return (
		entryBinding(entry, context).target === undefined ||
		(entry.spec?.hosts ?? []).some(isWildcard) ||
		context.know(sharesHosts, entry)
	);
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
		case "discovery":
			return "istiod ignores the ServiceEntry: discoverySelectors of the mesh leave out its namespace";
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
