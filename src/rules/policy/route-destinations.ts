import { parseAddressRange } from "../../core/address-range.ts";
import type { Problem } from "../../core/finding.ts";
import { mention, quote } from "../../core/finding.ts";
import { canonicalHost, covers, parseHostPattern } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { GatewayRoute, Kind, ObjectReference, Service, VirtualService } from "../../core/kinds.ts";
import { allows } from "../../core/policy.ts";
import type { RuleContext } from "../../core/rule.ts";
import type { ServiceName } from "../../core/service-names.ts";
import { serviceOfHost } from "../../core/service-names.ts";
import { backendsOf, isExternalBackend } from "../../istio/egress/gateway-api.ts";
import type { RouteTarget } from "../../istio/egress/route-targets.ts";
import { gatewayRouteTargets, routeTargetReads } from "../../istio/egress/route-targets.ts";
import { isEgressService, isIngressService } from "../../istio/egress/services.ts";
import {
	borderReads,
	isDeclaredInside,
	isGoverned,
	isOutsideHost,
	outsideName,
} from "../../istio/entry/border.ts";
import { formatWaypoint } from "../../istio/waypoint/binding.ts";
import { requestedWaypoint } from "../../istio/waypoint/waypoint.ts";
import { forbiddenHost, limitOnAddress } from "./limits.ts";

/** The kinds that judging the destinations of a route may ask for. */
export const routeDestinationReads: readonly Kind[] = [
	...routeTargetReads,
	...borderReads,
	"Namespace",
	"ServiceEntry",
];

/** A host outside the cluster for which a route stands. */
export interface ExternalHost {
	readonly host: string;
	/** A ServiceEntry has it, so the waypoint takes the route. */
	readonly isCertain: boolean;
	/** A Service of the cluster: what a route leads to by reference, the other namespace grants with a ReferenceGrant. */
	readonly isGranted?: true;
}

/** What a namespace's policy says of the targets of a route. */
export function* routeDestinationProblems(
	targets: Iterable<RouteTarget>,
	externalHost: ExternalHost | undefined,
	context: RuleContext,
): Generator<Problem> {
	for (const target of targets) {
		const outside = outsideHostOf(target, context);
		// What an ordinary gateway writes for its clients is no way out of the cluster.
		if (outside !== undefined && (target.fromMesh || !target.isAuthority)) {
			const problems = [...forbiddenTarget(target, outside, context)];
			yield* problems;
			if (problems.length === 0) {
				yield* pastWaypoint(target, outside, context);
			}
		} else if (outside === undefined && externalHost !== undefined) {
			yield* lentIdentity(target, externalHost, context);
		}
	}
}

/** What a namespace's policy says of a route of the Gateway API. */
export function* gatewayRouteProblems(route: GatewayRoute, context: RuleContext): Generator<Problem> {
	const { namespace, inventory } = context;
	const targets = gatewayRouteTargets(route, namespace, inventory);
	yield* routeDestinationProblems(targets, externalParentOf(route, context), context);
	yield* unreadBackends(route, context);
}

/** Backends whose host outside stands in an object that Waymark does not read. */
function* unreadBackends(route: GatewayRoute, context: RuleContext): Generator<Problem> {
	const { policy } = context;
	const [list] = [...policy.deniedHosts, ...policy.allowedHosts];
	const waypoint = governingWaypoint(context);
	if (list === undefined && waypoint === undefined) {
		return;
	}
	for (const { path, backend } of backendsOf(route)) {
		if (isExternalBackend(backend)) {
			yield {
				path: [...path, "name"],
				...(list === undefined ? { severity: "warning" as const } : {}),
				message:
					list === undefined
						? `XBackend ${mention(backend.name ?? "")} names a host of its own, and nothing binds it to ${waypoint}`
						: `XBackend ${mention(backend.name ?? "")} names a host of its own, which nobody holds to the hosts that ${allows(list.by)}`,
				hint: "Write a ServiceEntry for the host, and name the host as backend: group networking.istio.io, kind Hostname",
			};
		}
	}
}

/** The host outside the cluster that a target leads to; undefined where it stays inside. */
function outsideHostOf(target: RouteTarget, context: RuleContext): string | undefined {
	const { inventory } = context;
	const host = canonicalHost(target.host);
	if (parseAddressRange(host) !== undefined) {
		return isDeclaredInside(host, inventory) ? undefined : host;
	}
	const service = serviceMeant(target, context);
	if (service === undefined) {
		return isOutsideHost(host, inventory) ? host : undefined;
	}
	const full = `${service.name}.${service.namespace}.svc.${inventory.mesh.clusterDomain}`;
	return inventory.get("Service", service.namespace, service.name) === undefined
		? leavingEntryHost([host, full], inventory)
		: outsideName(full, inventory);
}

/** The Service that a target means: by reference, by a name of the cluster, or by `NAME.NAMESPACE` where that is one. */
function serviceMeant(
	target: RouteTarget,
	{ namespace, inventory }: RuleContext,
): Pick<ServiceName, "namespace" | "name"> | undefined {
	const host = canonicalHost(target.host);
	if (target.service !== undefined || parseAddressRange(host) !== undefined) {
		return target.service;
	}
	const service = serviceOfHost(host, namespace);
	if (service === undefined || (target.isExact && !host.includes("."))) {
		return undefined;
	}
	if (!service.partial) {
		return host.includes(".") && isOutsideHost(host, inventory) ? undefined : service;
	}
	const isKnown =
		inventory.get("Service", service.namespace, service.name) !== undefined ||
		inventory.get("Namespace", "", service.namespace) !== undefined;
	return isKnown ? service : undefined;
}

/** A name of the cluster that is no Service, but that of a ServiceEntry by which traffic leaves. */
function leavingEntryHost(names: readonly string[], inventory: Inventory): string | undefined {
	for (const host of names) {
		for (const entry of inventory.lookup("serviceEntryByHost", host)) {
			if (isGoverned(entry, { namespace: entry.metadata?.namespace ?? "", inventory })) {
				return host;
			}
		}
	}
	return undefined;
}

function* forbiddenTarget(target: RouteTarget, outside: string, { policy }: RuleContext): Generator<Problem> {
	const { path, port, isAuthority } = target;
	const what = isAuthority ? "Authority" : "Destination";
	if (parseAddressRange(outside) === undefined) {
		yield* forbiddenHost(what, outside, path, policy);
	} else {
		const strict = limitOnAddress(outside, policy);
		if (strict !== undefined) {
			yield {
				path,
				message: `${what} ${quote(outside)} is not among the hosts that ${allows(strict.by)}`,
				hint: `Remove the ${what.toLowerCase()}, or ask the security team to allow the address`,
			};
		}
	}
	const strict =
		port === undefined
			? undefined
			: policy.allowedPorts.find(
					(list) => !list.ranges.some((range) => range.from <= port && port <= range.to),
				);
	if (strict !== undefined) {
		yield {
			path,
			message: `Requests would leave for port ${port} of ${quote(outside)}, which is not among the ports that ${allows(strict.by)}`,
			hint: "Use an allowed port, or ask the security team",
		};
	}
}

/** Whether a namespace's pods are held to a waypoint: its policy, and not just a label of Istio's, names one. */
function governingWaypoint({ policy }: RuleContext): string | undefined {
	return policy.ambient === "enforced" &&
		policy.waypoint !== undefined &&
		policy.waypoint !== "none" &&
		policy.waypointSource !== "namespace label"
		? formatWaypoint(policy.waypoint)
		: undefined;
}

function* pastWaypoint(target: RouteTarget, outside: string, context: RuleContext): Generator<Problem> {
	const waypoint = governingWaypoint(context);
	const [gateway] = target.gateways;
	if (waypoint !== undefined && gateway !== undefined && !target.isAuthority) {
		yield {
			path: target.path,
			severity: "warning",
			message: `Sends requests for ${quote(outside)} out through the Gateway ${mention(gateway)}, whose pods connect directly: past ${waypoint}, its policies and its log`,
			hint: `Bind the host's ServiceEntry to ${waypoint} and let pods call the host itself; a gateway that fronts an outside service for clients from outside is meant to do this`,
		};
	}
}

/**
 * A host outside the cluster behind which a waypoint finds a Service of another namespace: the request arrives with the
 * waypoint's identity, which that Service may trust more than the pods that sent it.
 */
export function* lentIdentity(
	target: RouteTarget,
	{ host, isCertain, isGranted }: ExternalHost,
	context: RuleContext,
): Generator<Problem> {
	const { namespace, inventory } = context;
	const service = isGranted && target.service !== undefined ? undefined : serviceMeant(target, context);
	const waypoint = governingWaypoint(context);
	if (
		waypoint !== undefined &&
		service !== undefined &&
		target.fromMesh &&
		!target.isAuthority &&
		service.namespace !== namespace &&
		// A public host that comes back by the cluster's own front door: that door asks nobody outside who he is.
		(isCertain || !isIngressService(service.namespace, service.name, inventory)) &&
		// Another rule says that of an egress gateway.
		!isEgressService(`${service.name}.${service.namespace}.svc`, namespace, inventory)
	) {
		yield {
			path: target.path,
			message: `Leads requests for ${quote(host)} to the Service ${mention(`${service.namespace}/${service.name}`)}, where they arrive with the identity of ${waypoint} instead of their own`,
			hint: "Let pods call the Service by its own name; the host's route leads to the host",
			// No entry has the host yet; when one does, nobody judges the route again before it is written.
			...(isCertain ? {} : { severity: "warning" as const }),
		};
	}
}

/** A host of a VirtualService that lies outside the cluster; one that a ServiceEntry of the namespace has comes first. */
export function externalHostOf(route: VirtualService, context: RuleContext): ExternalHost | undefined {
	const { namespace, inventory } = context;
	const hosts = route.spec?.hosts ?? [];
	const host = hosts.find((each) => isExternalHere(each, namespace, inventory));
	if (host !== undefined) {
		return { host, isCertain: true };
	}
	const outside =
		hosts.find((each) => each.includes(".") && isOutsideHost(each, inventory)) ??
		hosts.find((each) => namesLentService(each, context));
	return outside === undefined ? undefined : { host: outside, isCertain: false };
}

/** Whether a host, which may be a wildcard, stands for a Service of the namespace whose clients come by a shared waypoint. */
function namesLentService(host: string, context: RuleContext): boolean {
	const { namespace, inventory } = context;
	const name = canonicalHost(host);
	if (name.startsWith("*")) {
		const pattern = parseHostPattern(name);
		return (
			pattern !== undefined &&
			[...inventory.inNamespace("Service", namespace)].some(
				(service) =>
					covers(pattern, fullName(service.metadata?.name, context)) && isAtSharedWaypoint(service, context),
			)
		);
	}
	const named = serviceOfHost(name, namespace);
	return (
		named !== undefined &&
		named.namespace === namespace &&
		isAtSharedWaypoint(inventory.get("Service", namespace, named.name), context)
	);
}

/** The name by which the mesh knows a Service of the namespace. */
export function fullName(name: string | null | undefined, { namespace, inventory }: RuleContext): string {
	return `${name ?? ""}.${namespace}.svc.${inventory.mesh.clusterDomain}`;
}

/**
 * Whether clients of a Service of the namespace, or of one yet to be written, come by the governing waypoint and that is
 * another namespace's: with an own one a team lends nobody's identity but its own.
 */
export function isAtSharedWaypoint(service: Service | undefined, context: RuleContext): boolean {
	const { namespace, inventory } = context;
	const home = inventory.get("Namespace", "", namespace)?.metadata?.labels;
	const request = requestedWaypoint(service?.metadata?.labels, namespace, home);
	return (
		request.asked &&
		request.waypoint.namespace !== namespace &&
		formatWaypoint(request.waypoint) === governingWaypoint(context)
	);
}

/** A host of what a route of the Gateway API stands on: an entry that leads out of the cluster, or a Service at a shared waypoint. */
export function externalParentOf(route: GatewayRoute, context: RuleContext): ExternalHost | undefined {
	const { namespace, inventory } = context;
	const parents = route.spec?.parentRefs ?? [];
	for (const { group, kind, name, namespace: other } of parents) {
		if (group === "networking.istio.io" && kind === "ServiceEntry") {
			const place = other ?? namespace;
			const entry = inventory.get("ServiceEntry", place, name ?? "");
			if (entry === undefined) {
				return { host: `${place}/${name ?? ""}`, isCertain: false };
			}
			if (isGoverned(entry, { namespace: place, inventory })) {
				return { host: entry.spec?.hosts?.[0] ?? "", isCertain: true };
			}
		}
	}
	const service = parents.find((parent) => isLentParent(parent, context));
	return service === undefined
		? undefined
		: { host: fullName(service.name, context), isCertain: false, isGranted: true };
}

/** Whether a route stands on a Service of the namespace whose clients come by a shared waypoint. */
function isLentParent(
	{ group, kind, name, namespace: other }: ObjectReference,
	context: RuleContext,
): boolean {
	const { namespace, inventory } = context;
	return (
		group === "" &&
		kind === "Service" &&
		(other ?? namespace) === namespace &&
		isAtSharedWaypoint(inventory.get("Service", namespace, name ?? ""), context)
	);
}

/** Whether a ServiceEntry of a namespace puts a host outside the cluster. */
function isExternalHere(host: string, namespace: string, inventory: Inventory): boolean {
	for (const entry of inventory.lookup("serviceEntryByHost", canonicalHost(host))) {
		if (entry.metadata?.namespace === namespace && isGoverned(entry, { namespace, inventory })) {
			return true;
		}
	}
	return false;
}
