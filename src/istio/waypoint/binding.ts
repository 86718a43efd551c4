import type { Path } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import type { Kind, ServiceEntry } from "../../core/kinds.ts";
import { useWaypointLabel, useWaypointNamespaceLabel } from "../../core/policy.ts";
import type { RuleContext } from "../../core/rule.ts";
import type { WaypointReference } from "../../core/settings.ts";
import { borderReads, leavesCluster } from "../entry/border.ts";
import { labelOf } from "./label-selector.ts";
import type { WaypointRequest, WaypointState } from "./waypoint.ts";
import { inspectWaypoint, requestedWaypoint } from "./waypoint.ts";

/** Where the two labels stand. */
export const useWaypointPath: Path = ["metadata", "labels", useWaypointLabel];
export const useWaypointNamespacePath: Path = ["metadata", "labels", useWaypointNamespaceLabel];

/** What asking how an entry is bound may look at. */
export const bindingReads: readonly Kind[] = ["Namespace", ...borderReads];
/** What of it an answer may rest on not being there. */
export const bindingConfirms: readonly Kind[] = ["Namespace", "Service"];
/** What looking at its waypoint may look at besides. */
export const targetReads: readonly Kind[] = [...bindingReads, "KubernetesGateway", "GatewayClass"];
export const targetConfirms: readonly Kind[] = [...bindingConfirms, "KubernetesGateway", "GatewayClass"];

/** How a ServiceEntry stands to the waypoint it asks for, or to the one that its namespace's policy wants. */
export interface EntryBinding {
	readonly request: WaypointRequest;
	/** The waypoint of the policy, for entries by which traffic can leave the cluster. */
	readonly expected: WaypointReference | undefined;
	/** The waypoint whose state matters: the one that labels ask for, else the expected one. */
	readonly target: WaypointReference | undefined;
	/** Where to point a person who reads about the target. */
	readonly targetPath: Path;
	/** What to call the target's origin in a message. */
	readonly origin: string;
	/** The namespace of the expected waypoint that the author named without its namespace. */
	readonly omittedNamespace: string | undefined;
}

/**
 * Whether the value of a waypoint label is a name that istiod, its validation and its status all read alike: lower case
 * and digits, and dots and hyphens between them. Every verdict asks, so it is read letter by letter.
 */
export function isWaypointLabelValue(value: string): boolean {
	const last = value.length - 1;
	if (last < 0 || last > 62 || !(isLetter(value.charCodeAt(0)) && isLetter(value.charCodeAt(last)))) {
		return false;
	}
	for (let index = 1; index < last; index++) {
		const code = value.charCodeAt(index);
		if (!(isLetter(code) || code === 45 || code === 46)) {
			return false;
		}
	}
	return true;
}

/** Whether a character is a letter in lower case or a digit. */
function isLetter(code: number): boolean {
	return (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
}

/** Whether an entry's own waypoint labels can be read at all; another rule speaks when they cannot. */
export function hasReadableLabels(entry: ServiceEntry): boolean {
	const name = labelOf(entry.metadata?.labels, useWaypointLabel);
	const namespace = labelOf(entry.metadata?.labels, useWaypointNamespaceLabel);
	return (
		(name === undefined || isWaypointLabelValue(name)) &&
		(namespace === undefined || (isWaypointLabelValue(namespace) && !namespace.includes(".")))
	);
}

/** Reads how an entry is bound and how it should be. */
export function entryBinding(entry: ServiceEntry, context: RuleContext): EntryBinding {
	return context.know(readBinding, entry);
}

function readBinding(entry: ServiceEntry, context: RuleContext): EntryBinding {
	const { namespace, policy, inventory } = context;
	const labels = entry.metadata?.labels;
	const request = requestedWaypoint(
		labels,
		namespace,
		inventory.get("Namespace", "", namespace)?.metadata?.labels,
	);
	const expected =
		policy.waypoint !== "none" && policy.waypoint !== undefined && leavesCluster(entry, context)
			? policy.waypoint
			: undefined;
	const omittedNamespace =
		request.asked &&
		request.by === "object" &&
		expected !== undefined &&
		labelOf(labels, useWaypointNamespaceLabel) === undefined &&
		request.waypoint.name === expected.name &&
		request.waypoint.namespace !== expected.namespace
			? expected.namespace
			: undefined;
	const own = request.asked && request.by === "object";
	// Injection replaces what the namespace's label asks for, so the policy's waypoint is the one to look at.
	const target = own ? request.waypoint : (expected ?? (request.asked ? request.waypoint : undefined));
	return {
		request,
		expected,
		// A namespace that opts out is outvoted by its policy; an entry that does so gets no waypoint whatever we add.
		target:
			request.asked || request.optedOut === undefined || request.optedOut === "namespace"
				? target
				: undefined,
		targetPath: own ? useWaypointPath : ["metadata", "labels"],
		origin: originOf(own, expected, policy.waypointSource),
		omittedNamespace,
	};
}

function originOf(own: boolean, expected: WaypointReference | undefined, source: string): string {
	if (own) {
		return "its label names";
	}
	return expected !== undefined && source !== "namespace label"
		? `the policy of this namespace (${source}) names`
		: "the label of its namespace names";
}

/** `NAMESPACE/NAME`, as people and istiod write it. */
export function formatWaypoint(waypoint: WaypointReference): string {
	return mention(`${waypoint.namespace}/${waypoint.name}`);
}

/** Whether two references name the same waypoint. */
export function isSameWaypoint(one: WaypointReference, other: WaypointReference): boolean {
	return one.namespace === other.namespace && one.name === other.name;
}

/** A binding whose target can be looked at, and what it is. */
export interface TargetState extends EntryBinding {
	readonly target: WaypointReference;
	readonly state: WaypointState;
}

/** The target with its state, unless labels are unreadable or another rule must speak first. */
export function targetState(entry: ServiceEntry, context: RuleContext): TargetState | undefined {
	return context.know(readTarget, entry);
}

function readTarget(entry: ServiceEntry, context: RuleContext): TargetState | undefined {
	const { request, expected, target, targetPath, origin, omittedNamespace } = entryBinding(entry, context);
	if (target === undefined || omittedNamespace !== undefined || context.know(hasUnreadableLabels, entry)) {
		return undefined;
	}
	return {
		request,
		expected,
		target,
		targetPath,
		origin,
		omittedNamespace,
		state: inspectWaypoint(target, context.namespace, context.inventory),
	};
}

/** Whether an entry shall take a waypoint that does not exist, or that will not or cannot take it. */
export function hasWaypointFault(entry: ServiceEntry, context: RuleContext): boolean {
	const state = targetState(entry, context)?.state;
	return (
		state !== undefined &&
		!(
			state.gateway !== undefined &&
			state.waypointClass === true &&
			state.selectorFault === undefined &&
			state.ready &&
			state.reachable &&
			state.admits &&
			state.servesServices &&
			!state.forbidden
		)
	);
}

/** Whether an entry does not ask for the waypoint that a policy names, asks for no waypoint, for another than that of its policy, or names a namespace and no waypoint. */
export function hasUnusualBinding(entry: ServiceEntry, context: RuleContext): boolean {
	const { request, expected } = entryBinding(entry, context);
	const isOwnDefault = context.policy.waypointSource === "namespace label";
	return !(
		request.asked &&
		(request.by === "object" ||
			(labelOf(entry.metadata?.labels, useWaypointNamespaceLabel) === undefined &&
				(expected === undefined || isOwnDefault))) &&
		(expected === undefined || isSameWaypoint(request.waypoint, expected))
	);
}

/** Whether a waypoint label of an entry has a value that is no name. */
export function hasUnreadableLabels(entry: ServiceEntry): boolean {
	return !hasReadableLabels(entry);
}
