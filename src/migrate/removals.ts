import { canonicalHost } from "../core/host-pattern.ts";
import { destinationsOf } from "../istio/egress/virtual-services.ts";
import type { BoundEntry } from "./bound-entry.ts";
import { typed } from "./bundles.ts";
import type { InputObject } from "./input-object.ts";
import { titleOf } from "./input-object.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";

const goingRoles: ReadonlySet<string> = new Set([
	"gateway",
	"route",
	"gateway rule",
	"sidecar",
	"policy",
	"asm",
	"listeners",
	"backend",
]);

/** What to delete when the old gateway is silent. */
export interface Removals extends StepResult {
	readonly removals: readonly InputObject[];
	/** Those of them that a waypoint would obey, so that they have to go when the clients move. */
	readonly steering: readonly InputObject[];
}

/** Chooses what of a bundle has to go: its old objects, and those that outputs elsewhere replace. */
export function removalsOf(
	conversion: Conversion,
	entries: readonly BoundEntry[],
	replaced: readonly InputObject[],
	twins: readonly InputObject[],
): Removals {
	const step = beginStep(conversion);
	const going = step.bundle.participants.filter(({ role, input }) => {
		if (!goingRoles.has(role)) {
			return false;
		}
		if (input.kind !== "VirtualService" || !servesOthers(input, step)) {
			return true;
		}
		step.notes.push(
			entries.length === 0
				? `${titleOf(input)} also serves other traffic.`
				: `${titleOf(input)} also serves other traffic: do not delete it, take the routes to and from the egress gateway out of it, in step 2: a waypoint would obey them too.`,
		);
		return false;
	});
	const removals = [...new Set([...going.map(({ input }) => input), ...twins, ...replaced])];
	// A client asks the entry of its own namespace first, which is not bound.
	const steering = removals.filter(
		(input) => twins.includes(input) || leadsWaypointAway(input, step, entries),
	);
	return { removals, steering, ...endStep(step) };
}

/** Whether a VirtualService has a route into the cluster besides the hops of the way out. */
function servesOthers(input: InputObject, { bundle, inventory }: Step): boolean {
	const participant = bundle.participants.find((each) => each.input === input);
	const hops = [...(participant?.hops?.toGateway ?? []), ...(participant?.hops?.toHost ?? [])];
	return [...destinationsOf(typed<"VirtualService">(input), input.namespace, inventory)].some(
		(destination) => {
			const isHop = hops.some((hop) => hop.path.join() === destination.path.join());
			const isOwn = bundle.hosts.includes(canonicalHost(destination.host));
			return (
				!isHop &&
				!isOwn &&
				(destination.host.endsWith(".svc.cluster.local") || !destination.host.includes("."))
			);
		},
	);
}

/**
 * Whether a waypoint obeys a route to the egress gateway as sidecars do: it reads the routes of the mesh in the
 * namespaces of the ServiceEntry and its own (Istio pilot/pkg/networking/core/listener_waypoint.go:
 * getVirtualServiceForWaypoint), the oldest first.
 */
function leadsWaypointAway(input: InputObject, { bundle }: Step, entries: readonly BoundEntry[]): boolean {
	const participant = bundle.participants.find((each) => each.input === input);
	const toGateway =
		participant?.hops === undefined
			? participant?.ties.some((tie) => tie.startsWith("entry ")) === true && participant.role === "route"
			: participant.hops.toGateway.length > 0;
	return (
		toGateway &&
		entries.some(
			(entry) => input.namespace === entry.namespace || input.namespace === entry.waypoint.namespace,
		)
	);
}
