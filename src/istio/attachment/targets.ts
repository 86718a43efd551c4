import type { Path } from "../../core/finding.ts";
import type { Targeting } from "../../core/indexes.ts";
import { targetRefsOf } from "../../core/indexes.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { AnyObject, Kind, KubernetesGateway, ServiceEntry } from "../../core/kinds.ts";
import type { RuleContext } from "../../core/rule.ts";
import type { WaypointReference } from "../../core/settings.ts";
import { isGoverned } from "../entry/border.ts";
import { lossReads } from "../waypoint/losses.ts";
import { attachmentListener, isWaypoint, requestedWaypoint } from "../waypoint/waypoint.ts";

/** The name of the class that a policy in the root namespace targets to hold at every waypoint. */
export const waypointClass = "istio-waypoint";

/** An object that may target something. */
export type Attachable = AnyObject & Targeting;

/** What looking at targets may look at: they are entries and the waypoints that entries are bound to. */
export const targetingReads: readonly Kind[] = lossReads;
/** What of it an answer may rest on not being there. */
export const targetingConfirms: readonly Kind[] = [
	"ServiceEntry",
	"Service",
	"Namespace",
	"KubernetesGateway",
	"GatewayClass",
];

/** One target of an object, and where it stands. */
export interface Target {
	readonly kind: "ServiceEntry" | "Gateway" | "GatewayClass";
	readonly name: string;
	/** A port by its name, in a BackendTLSPolicy. */
	readonly section: string | undefined;
	readonly path: Path;
}

const kindsByGroup: ReadonlyMap<string, Target["kind"]> = new Map([
	["networking.istio.io/ServiceEntry", "ServiceEntry"],
	["gateway.networking.k8s.io/Gateway", "Gateway"],
	["gateway.networking.k8s.io/GatewayClass", "GatewayClass"],
]);

/** The targets of an object that a waypoint reads; Services are not among them. */
export function targetsOf(object: Attachable): readonly Target[] {
	const isList = (object.spec?.targetRefs ?? []).length > 0;
	return targetRefsOf(object).flatMap(({ group, kind, name, sectionName }, index) => {
		const known = kindsByGroup.get(`${group ?? ""}/${kind ?? ""}`);
		const path = isList ? ["spec", "targetRefs", index, "name"] : ["spec", "targetRef", "name"];
		return known === undefined
			? []
			: [{ kind: known, name: name ?? "", section: sectionName ?? undefined, path }];
	});
}

/**
 * The waypoint that labels ask for on behalf of an entry, else the one that its namespace's policy will write; undefined
 * where there is none, or the entry does not lead out of the cluster.
 */
export function waypointOfEntry(entry: ServiceEntry, inventory: Inventory): WaypointReference | undefined {
	const namespace = entry.metadata?.namespace ?? "";
	if (!isGoverned(entry, { namespace, inventory })) {
		return undefined;
	}
	const labels = inventory.get("Namespace", "", namespace)?.metadata?.labels;
	const request = requestedWaypoint(entry.metadata?.labels, namespace, labels);
	if (request.asked) {
		return request.waypoint;
	}
	const { waypoint } = inventory.policy(namespace);
	return request.optedOut === undefined && waypoint !== "none" ? waypoint : undefined;
}

/** An entry that an object targets, with the waypoint at which the object is read. */
export interface TargetedEntry {
	readonly target: Target;
	readonly entry: ServiceEntry;
	readonly waypoint: WaypointReference;
}

/** The egress entries with a waypoint that an object targets: those of its own namespace (ShouldAttachPolicy). */
export function* targetedEntries(
	object: Attachable,
	{ namespace, inventory }: Pick<RuleContext, "namespace" | "inventory">,
): Iterable<TargetedEntry> {
	for (const target of targetsOf(object)) {
		const entry =
			target.kind === "ServiceEntry" ? inventory.get("ServiceEntry", namespace, target.name) : undefined;
		const waypoint = entry === undefined ? undefined : waypointOfEntry(entry, inventory);
		if (entry !== undefined && waypoint !== undefined) {
			yield { target, entry, waypoint };
		}
	}
}

/** As `targetedEntries`, those at the waypoint of another namespace: it is not the author's own. */
export function* entriesAtSharedWaypoint(
	object: Attachable,
	context: Pick<RuleContext, "namespace" | "inventory">,
): Iterable<TargetedEntry> {
	for (const each of targetedEntries(object, context)) {
		if (each.waypoint.namespace !== context.namespace) {
			yield each;
		}
	}
}

/** The waypoints of its own namespace that an object targets. */
export function* targetedWaypoints(
	object: Attachable,
	{ namespace, inventory }: Pick<RuleContext, "namespace" | "inventory">,
): Iterable<{ readonly target: Target; readonly gateway: KubernetesGateway }> {
	for (const target of targetsOf(object)) {
		const gateway =
			target.kind === "Gateway" ? inventory.get("KubernetesGateway", namespace, target.name) : undefined;
		if (gateway !== undefined && isWaypoint(gateway, inventory) === true) {
			yield { target, gateway };
		}
	}
}

/** Whether other namespaces may attach to a waypoint. */
export function isOpenToOthers(gateway: KubernetesGateway, inventory: Inventory): boolean {
	const from = attachmentListener(gateway, inventory)?.listener.allowedRoutes?.namespaces?.from;
	return from === "All" || from === "Selector";
}

/** The keys of the indexes by target under which stands what holds at a waypoint for every entry: by Gateway, by class. */
export function waypointKeys(
	{ namespace, name }: WaypointReference,
	{ mesh }: Pick<Inventory, "mesh">,
): readonly string[] {
	return [
		`${namespace}/gateway.networking.k8s.io/Gateway/${name}`,
		`${mesh.rootNamespace}/gateway.networking.k8s.io/GatewayClass/${waypointClass}`,
	];
}

/** The key of the indexes by target under which stands what targets an entry. */
export function entryKey(namespace: string, name: string): string {
	return `${namespace}/networking.istio.io/ServiceEntry/${name}`;
}

/**
 * The waypoint whose pods a selector picks. Istio labels them by the Gateway (manifests/charts/istio-control/istio-discovery/
 * files/waypoint.yaml), and a waypoint reads no policy with a selector (policyattachment.go: ShouldAttachPolicy).
 */
export function selectedWaypoint(
	selector: Readonly<Record<string, string>>,
	{ namespace, inventory }: Pick<RuleContext, "namespace" | "inventory">,
): KubernetesGateway | undefined {
	const wanted = Object.entries(selector);
	if (wanted.length === 0) {
		return undefined;
	}
	const isEverywhere = namespace === inventory.mesh.rootNamespace;
	const name = selector["gateway.networking.k8s.io/gateway-name"];
	const candidates =
		isEverywhere && name !== undefined
			? inventory.lookup("kubernetesGatewayByName", name)
			: inventory.inNamespace("KubernetesGateway", namespace);
	for (const gateway of candidates) {
		const labels = podLabelsOf(gateway);
		if (
			isWaypoint(gateway, inventory) === true &&
			wanted.every(([key, value]) => labels.get(key) === value)
		) {
			return gateway;
		}
	}
	return undefined;
}

function podLabelsOf({ metadata, spec }: KubernetesGateway): ReadonlyMap<string, string> {
	const name = metadata?.name ?? "";
	return new Map([
		...Object.entries(metadata?.labels ?? {}),
		...Object.entries(spec?.infrastructure?.labels ?? {}),
		["sidecar.istio.io/inject", "false"],
		["istio.io/dataplane-mode", "none"],
		["service.istio.io/canonical-name", name],
		["service.istio.io/canonical-revision", "latest"],
		["gateway.networking.k8s.io/gateway-name", name],
		["gateway.networking.k8s.io/gateway-class-name", spec?.gatewayClassName ?? ""],
		["gateway.istio.io/managed", "istio.io-mesh-controller"],
	]);
}
