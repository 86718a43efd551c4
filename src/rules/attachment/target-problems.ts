import type { Path, Problem } from "../../core/finding.ts";
import { mention, quote } from "../../core/finding.ts";
import type { Kind, KubernetesGateway, ServiceEntry } from "../../core/kinds.ts";
import type { RuleContext } from "../../core/rule.ts";
import type { WaypointReference } from "../../core/settings.ts";
import type { Attachable, Target } from "../../istio/attachment/targets.ts";
import {
	isOpenToOthers,
	selectedWaypoint,
	targetsOf,
	waypointClass,
	waypointOfEntry,
} from "../../istio/attachment/targets.ts";
import { isGoverned } from "../../istio/entry/border.ts";
import { isProtocolOf } from "../../istio/entry/ports.ts";
import { entriesAskingFor } from "../../istio/waypoint/losses.ts";
import { isWaypoint } from "../../istio/waypoint/waypoint.ts";

/** How Istio reads the targets of a kind. */
export interface Reading {
	/** What the object is called in a message: "AuthorizationPolicy". */
	readonly kind: Kind;
	/** Its selector and where that stands; undefined where it has none. */
	readonly selector?: { readonly labels: Readonly<Record<string, string>>; readonly path: Path } | undefined;
	/** What has neither target nor selector is meant for the whole namespace, and a waypoint there passes over it. */
	readonly isReadOnlyByTarget?: boolean;
	/** A waypoint reads it for a Gateway only, whatever entry it targets. */
	readonly isReadOnlyByGateway?: boolean;
	/** What targets a waypoint holds for what stands in the namespace of its own only. */
	readonly isReadInOwnNamespace?: boolean;
	/** It is about requests, so that a port without HTTP has no use for it. */
	readonly isAboutHttp?: boolean;
}

/** An object that selects pods by `spec.selector.matchLabels`. */
interface Selecting {
	readonly spec?: { readonly selector?: Selector | null | undefined } | null | undefined;
}

interface Selector {
	readonly matchLabels?: Readonly<Record<string, string>> | null | undefined;
}

/** The selector of an object, and where it stands. */
export function selectorOf({ spec }: Selecting): Reading["selector"] {
	return { labels: spec?.selector?.matchLabels ?? {}, path: ["spec", "selector", "matchLabels"] };
}

/** Where what an object attaches to is not where a waypoint would look: it holds nowhere, and nothing says so. */
export function* targetProblems(
	object: Attachable,
	context: RuleContext,
	reading: Reading,
): Iterable<Problem> {
	const targets = targetsOf(object);
	for (const target of targets) {
		switch (target.kind) {
			case "ServiceEntry":
				yield* entryProblems(target, context, reading);
				break;
			case "Gateway":
				yield* gatewayProblems(target, context, reading);
				break;
			default:
				yield* classProblems(target, context, reading);
		}
	}
	if (hasNoTarget(object)) {
		yield* selectorProblems(context, reading);
	}
}

function hasNoTarget({ spec }: Attachable): boolean {
	return (spec?.targetRefs ?? []).length === 0 && (spec?.targetRef ?? undefined) === undefined;
}

function* entryProblems(target: Target, context: RuleContext, reading: Reading): Iterable<Problem> {
	const { namespace, inventory } = context;
	if (reading.isReadOnlyByGateway === true) {
		yield {
			path: target.path,
			message: `A waypoint reads no ${reading.kind} for a ServiceEntry, so this does nothing`,
			hint: "Remove the target; what shall change a waypoint targets its Gateway, in the waypoint's namespace",
		};
		return;
	}
	const entry = inventory.get("ServiceEntry", namespace, target.name);
	if (entry === undefined) {
		yield* missingProblems("ServiceEntry", target, context);
		return;
	}
	if (!isGoverned(entry, { namespace, inventory })) {
		return;
	}
	// Files rarely hold the labels of a Namespace, which may bind its entries.
	const isSure = !inventory.offline || inventory.get("Namespace", "", namespace) !== undefined;
	if (isSure && waypointOfEntry(entry, inventory) === undefined) {
		yield {
			path: target.path,
			message: `ServiceEntry ${mention(target.name)} has no waypoint, and nothing else reads what targets an entry, so this ${reading.kind} holds nowhere`,
			hint: "Bind the entry to a waypoint by the label istio.io/use-waypoint",
		};
	} else if (target.section !== undefined && !hasPort(entry, target.section)) {
		yield {
			path: [...target.path.slice(0, -1), "sectionName"],
			message: `ServiceEntry ${mention(target.name)} has no port of the name ${quote(target.section)}, so this ${reading.kind} holds for none`,
			hint: "Name a port of the entry as its spec.ports do, or leave sectionName out",
		};
	} else if (reading.isAboutHttp === true && !readsRequests(entry)) {
		yield {
			path: target.path,
			message: `No port of ServiceEntry ${mention(target.name)} is read as HTTP, and this ${reading.kind} is about requests, so it does nothing`,
			hint: "Declare a port with protocol HTTP, and let the waypoint originate TLS",
		};
	}
}

function hasPort(entry: ServiceEntry, name: string): boolean {
	return (entry.spec?.ports ?? []).some((port) => port.name === name);
}

/** Whether a waypoint may read requests on some port: without a protocol it looks for itself. */
function readsRequests(entry: ServiceEntry): boolean {
	const ports = entry.spec?.ports ?? [];
	return ports.length === 0 || ports.some(({ protocol }) => !isProtocolOf("tcp", protocol ?? ""));
}

function* gatewayProblems(target: Target, context: RuleContext, reading: Reading): Iterable<Problem> {
	const { namespace, inventory } = context;
	if (inventory.get("KubernetesGateway", namespace, target.name) === undefined) {
		yield* missingProblems("Gateway", target, context);
	} else if (reading.isReadInOwnNamespace === true) {
		const foreign = foreignEntry({ namespace, name: target.name }, inventory);
		if (foreign !== undefined) {
			yield {
				path: target.path,
				message: `A waypoint reads a ${reading.kind} that targets its Gateway for what stands in its own namespace only, so this does not hold for ServiceEntry ${mention(foreign)}`,
				hint: `Leave targetRefs out, so that it holds for the whole namespace ${mention(namespace)} with its waypoints, or target the entry in its own namespace`,
			};
		}
	}
}

/** The first egress entry of another namespace that asks for a waypoint, as NAMESPACE/NAME. */
function foreignEntry(waypoint: WaypointReference, inventory: RuleContext["inventory"]): string | undefined {
	for (const entry of entriesAskingFor(waypoint, inventory)) {
		const { namespace = "", name = "" } = entry.metadata ?? {};
		const place = namespace ?? "";
		if (place !== waypoint.namespace && isGoverned(entry, { namespace: place, inventory })) {
			return `${place}/${name}`;
		}
	}
	return undefined;
}

function* classProblems(
	{ name, path }: Target,
	{ namespace, inventory }: RuleContext,
	reading: Reading,
): Iterable<Problem> {
	const { rootNamespace } = inventory.mesh;
	if (name === waypointClass && namespace === rootNamespace && reading.isReadInOwnNamespace === true) {
		yield {
			path,
			message: `A waypoint reads a ${reading.kind} with targets in the namespace of a ServiceEntry only, so this does not hold for entries of other namespaces than ${mention(rootNamespace)}`,
			hint: `Leave targetRefs out: in namespace ${mention(rootNamespace)} it holds for the whole mesh then`,
		};
	}
	if (name === waypointClass && namespace !== rootNamespace) {
		yield {
			path,
			message: `What targets GatewayClass ${waypointClass} is read in the root namespace only (${mention(rootNamespace)}), so this holds nowhere`,
			hint: `Write it in namespace ${mention(rootNamespace)}, or target the Gateway of one waypoint in its own namespace`,
		};
	}
}

/** A target that is not in the object's namespace: in another one, or in none. */
function* missingProblems(
	kind: "ServiceEntry" | "Gateway",
	{ name, path }: Target,
	{ namespace, inventory }: RuleContext,
): Iterable<Problem> {
	const elsewhere = namespacesWith(kind, name, namespace, inventory);
	if (elsewhere.length > 0) {
		const places = elsewhere.slice(0, 3).map(mention).join(", ");
		yield {
			path,
			message: `${kind} ${mention(name)} stands in namespace ${places}, and what targets something is read for targets of its own namespace only, so this holds nowhere`,
			hint: `Write it in namespace ${mention(elsewhere[0] ?? "")}`,
		};
	} else if (canBeSure(kind, namespace, inventory)) {
		yield {
			path,
			message: `There is no ${kind} ${mention(name)} in namespace ${mention(namespace)}, so this holds nowhere`,
			hint: `Target the ${kind} by the name that it has; one that is made later is found then`,
		};
	}
}

function namespacesWith(
	kind: "ServiceEntry" | "Gateway",
	name: string,
	namespace: string,
	inventory: RuleContext["inventory"],
): readonly string[] {
	const found: string[] = [];
	if (kind === "ServiceEntry") {
		for (const { metadata } of inventory.lookup("serviceEntryByName", name)) {
			found.push(metadata?.namespace ?? "");
		}
	} else {
		for (const gateway of inventory.lookup("kubernetesGatewayByName", name)) {
			if (isWaypoint(gateway, inventory) === true) {
				found.push(gateway.metadata?.namespace ?? "");
			}
		}
	}
	return found.filter((each) => each !== namespace).toSorted();
}

/** A Gateway may be one of another kind; files may hold a part of the objects only. */
function canBeSure(
	kind: "ServiceEntry" | "Gateway",
	namespace: string,
	inventory: RuleContext["inventory"],
): boolean {
	if (kind === "ServiceEntry") {
		const [entry] = inventory.inNamespace("ServiceEntry", namespace);
		return !inventory.offline || entry !== undefined;
	}
	return !inventory.offline && waypointIn(namespace, inventory) !== undefined;
}

function waypointIn(namespace: string, inventory: RuleContext["inventory"]): KubernetesGateway | undefined {
	for (const gateway of inventory.inNamespace("KubernetesGateway", namespace)) {
		if (isWaypoint(gateway, inventory) === true) {
			return gateway;
		}
	}
	return undefined;
}

function* selectorProblems(
	context: RuleContext,
	{ kind, selector, isReadOnlyByTarget }: Reading,
): Iterable<Problem> {
	const { namespace, inventory } = context;
	const labels = selector?.labels ?? {};
	if (Object.keys(labels).length > 0) {
		const gateway = selectedWaypoint(labels, context);
		if (gateway !== undefined) {
			yield {
				path: selector?.path ?? ["spec"],
				message: `A waypoint reads what targets it and no selector, so this ${kind} does not hold at ${mention(`${gateway.metadata?.namespace ?? ""}/${gateway.metadata?.name ?? ""}`)}`,
				hint: `Replace the selector by targetRefs with group gateway.networking.k8s.io, kind Gateway, name ${mention(gateway.metadata?.name ?? "")}`,
			};
		}
		return;
	}
	if (isReadOnlyByTarget !== true || namespace === inventory.mesh.rootNamespace) {
		return;
	}
	const gateway = waypointIn(namespace, inventory);
	if (gateway !== undefined && isOpenToOthers(gateway, inventory)) {
		yield {
			path: ["spec"],
			message: `The waypoint ${mention(`${namespace}/${gateway.metadata?.name ?? ""}`)} reads what targets it, and nothing that holds for its namespace, so this ${kind} does not hold for what goes through it`,
			hint: `Add targetRefs with group gateway.networking.k8s.io, kind Gateway, name ${mention(gateway.metadata?.name ?? "")}`,
		};
	}
}
