import type { Path } from "../../core/finding.ts";
import { quote } from "../../core/finding.ts";
import { canonicalHost, parseHostPattern } from "../../core/host-pattern.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { Destination as DestinationFields, Kind, RouteMatch, VirtualService } from "../../core/kinds.ts";
import { gatewayOfReference, meshGateway, serviceOfHost } from "../../core/service-names.ts";
import {
	areOtherGatewayLabels,
	builtInService,
	mentionsEgress,
	saysEgressGateway,
	saysOtherGateway,
} from "./names.ts";
import type { EgressEvidence } from "./services.ts";
import {
	egressServiceReads,
	isEgressService,
	isExternalEntry,
	isExternalName,
	selectsEgressPods,
} from "./services.ts";

/** The kinds that recognising a VirtualService of an egress gateway may ask for. */
export const virtualServiceReads: readonly Kind[] = [
	...egressServiceReads,
	"Namespace",
	"IstioGateway",
	"VirtualService",
	"ServiceEntry",
];

/** One way that traffic can take through a VirtualService. */
export interface Destination {
	/** Where the destination stands. */
	readonly path: Path;
	readonly host: string;
	readonly port: number | undefined;
	/** `mesh` or NAMESPACE/NAME; empty in a delegate, whose gateways are its root's. */
	readonly gateways: GatewayNames;
	/** Whether only a copy of the traffic takes it. */
	readonly mirror: boolean;
}

/** The gateways of a route. Those of the whole VirtualService are shared by its routes: thousands may have hundreds. */
export class GatewayNames implements Iterable<string> {
	readonly shared: ReadonlySet<string>;
	readonly own: ReadonlySet<string>;
	readonly size: number;

	constructor(shared: ReadonlySet<string>, own: ReadonlySet<string>) {
		this.shared = shared;
		this.own = own;
		let both = 0;
		for (const name of own) {
			both += shared.has(name) ? 1 : 0;
		}
		this.size = shared.size + own.size - both;
	}

	has(name: string): boolean {
		return this.shared.has(name) || this.own.has(name);
	}

	*[Symbol.iterator](): Iterator<string> {
		yield* this.shared;
		for (const name of this.own) {
			if (!this.shared.has(name)) {
				yield name;
			}
		}
	}
}

/** Every name of any of these routes' gateways. */
function allNames(gateways: Iterable<GatewayNames>): ReadonlySet<string> {
	const names = new Set<string>();
	const seen = new Set<ReadonlySet<string>>();
	for (const { shared, own } of gateways) {
		for (const part of [shared, own]) {
			for (const name of seen.has(part) ? [] : part) {
				names.add(name);
			}
			seen.add(part);
		}
	}
	return names;
}

/** The namespace in which an object stands, for objects of the inventory. */
function home(object: VirtualService): string {
	return object.metadata?.namespace ?? "";
}

/** Every destination of a VirtualService, of http, tls and tcp routes, with its mirrors and those of its delegates. */
export function* destinationsOf(
	route: VirtualService,
	namespace: string,
	inventory?: Inventory,
): Generator<Destination> {
	const { hosts, gateways, http, tls, tcp } = route.spec ?? {};
	const isDelegate = (hosts ?? []).length === 0 && (gateways ?? []).length === 0;
	const named = isDelegate ? [] : (gateways ?? [meshGateway]);
	const top = new Set(named.map((name) => gatewayOfReference(name, namespace)));
	for (const [index, each] of (http ?? []).entries()) {
		const base: Path = ["spec", "http", index];
		const effective = effectiveGateways(each.match, top, namespace);
		yield* routed(each.route, base, effective);
		yield* mirrored(each.mirror, [...base, "mirror"], effective);
		for (const [at, { destination }] of (each.mirrors ?? []).entries()) {
			yield* mirrored(destination, [...base, "mirrors", at, "destination"], effective);
		}
		if (inventory !== undefined) {
			for (const destination of delegated(each.delegate, namespace, inventory)) {
				yield { ...destination, path: [...base, "delegate", "name"], gateways: effective };
			}
		}
	}
	for (const [kind, routes] of [
		["tls", tls],
		["tcp", tcp],
	] as const) {
		for (const [index, each] of (routes ?? []).entries()) {
			const effective = effectiveGateways(each.match, top, namespace);
			yield* routed(each.route, ["spec", kind, index], effective);
		}
	}
}

type HttpRoute = NonNullable<NonNullable<VirtualService["spec"]>["http"]>[number];

function* delegated(
	delegate: HttpRoute["delegate"],
	namespace: string,
	inventory: Inventory,
): Generator<Destination> {
	if (delegate?.name) {
		const childNamespace = delegate.namespace ?? namespace;
		const child = inventory.get("VirtualService", childNamespace, delegate.name);
		for (const destination of child === undefined ? [] : destinationsOf(child, childNamespace)) {
			yield { ...destination, host: hostSeenFrom(namespace, destination.host, childNamespace) };
		}
	}
}

/**
 * A host of a VirtualService as another namespace has to write it: a name without a dot is a Service of the namespace that
 * holds the VirtualService (Istio pilot/pkg/model/config.go: ResolveShortnameToFQDN).
 */
export function hostSeenFrom(reader: string, host: string, home: string): string {
	return reader === home || host.includes(".") ? host : `${host}.${home}.svc`;
}

type Routes = NonNullable<NonNullable<VirtualService["spec"]>["tls"]>[number]["route"];

function* routed(routes: Routes, base: Path, gateways: GatewayNames): Generator<Destination> {
	for (const [at, { destination }] of (routes ?? []).entries()) {
		if (destination?.host) {
			const path = [...base, "route", at, "destination", "host"];
			yield { path, host: destination.host, port: portOf(destination), gateways, mirror: false };
		}
	}
}

function* mirrored(
	destination: DestinationFields | null | undefined,
	base: Path,
	gateways: GatewayNames,
): Generator<Destination> {
	if (destination?.host) {
		const path = [...base, "host"];
		yield { path, host: destination.host, port: portOf(destination), gateways, mirror: true };
	}
}

function portOf(destination: DestinationFields): number | undefined {
	return destination.port?.number ?? undefined;
}

/** A route's gateways: those of its matches, where a match without any means those of the whole VirtualService. */
function effectiveGateways(
	matches: readonly RouteMatch[] | null | undefined,
	top: ReadonlySet<string>,
	namespace: string,
): GatewayNames {
	const all = matches ?? [];
	const own = new Set<string>();
	for (const match of all) {
		for (const name of match.gateways ?? []) {
			own.add(gatewayOfReference(name, namespace));
		}
	}
	const isShared = all.length === 0 || all.some((match) => (match.gateways ?? []).length === 0);
	return new GatewayNames(isShared ? top : none, own);
}

const none: ReadonlySet<string> = new Set();

const isMeshOnly = (destination: Destination): boolean =>
	destination.gateways.size === 1 && destination.gateways.has(meshGateway);
const isGatewayOnly = (destination: Destination): boolean =>
	destination.gateways.size > 0 && !destination.gateways.has(meshGateway);

/** What a VirtualService does with egress, by its own content and, where that is not enough, by its neighbours. */
export interface Hops {
	/** Legs from the sidecars to an egress gateway. */
	readonly toGateway: readonly Destination[];
	/** Legs from an egress gateway to the outside. */
	readonly toHost: readonly Destination[];
}

/**
 * The two hops of sidecar-style egress. The Service of an egress gateway makes the first, whatever the rest says.
 * Without such a name it takes both hops to tell: the sidecars send an external host to a Service of the cluster,
 * and a gateway sends the same host out. Both may stand in one VirtualService or in two for the same host.
 */
export function hopsOf(route: VirtualService, namespace: string, inventory: Inventory): Hops {
	const destinations = [...destinationsOf(route, namespace, inventory)];
	const known = destinations.filter((destination) => isEgressService(destination.host, namespace, inventory));
	const hosts = namesOf(route);
	if (![...hosts].some((host) => isExternalName(host, inventory))) {
		return { toGateway: known, toHost: known.length > 0 ? leadingOut(destinations, hosts, inventory) : [] };
	}
	const candidates = destinations.filter((destination) =>
		mayLeadToGateway(destination, namespace, hosts, inventory),
	);
	const toHost = leadingOut(destinations, hosts, inventory);
	const paired =
		(candidates.length > 0 && (toHost.length > 0 || hasPartner(route, namespace, "toHost", inventory))) ||
		(toHost.length > 0 && hasPartner(route, namespace, "toGateway", inventory));
	const leading = new Set([
		...known,
		...candidates.filter((destination) => paired || saysEgress(destination.host, namespace)),
	]);
	const toGateway = destinations.filter((destination) => leading.has(destination));
	return { toGateway, toHost: paired || toGateway.length > 0 ? toHost : [] };
}

/** The hosts and the SNI names that a VirtualService is about. */
function namesOf(route: VirtualService): ReadonlySet<string> {
	const sni = (route.spec?.tls ?? []).flatMap((each) =>
		(each.match ?? []).flatMap((match) => match.sniHosts ?? []),
	);
	return new Set([...(route.spec?.hosts ?? []), ...sni].map(canonicalHost));
}

// A Service that gets an external host's traffic from the sidecars alone: an egress gateway, or an in-cluster stand-in.
function mayLeadToGateway(
	destination: Destination,
	namespace: string,
	hosts: ReadonlySet<string>,
	inventory: Inventory,
): boolean {
	if (!isMeshOnly(destination) || destination.mirror || hosts.has(canonicalHost(destination.host))) {
		return false;
	}
	const service = serviceOfHost(destination.host, namespace);
	return (
		service !== undefined && !isExternalName(destination.host, inventory) && !saysOtherGateway(service.name)
	);
}

function saysEgress(host: string, namespace: string): boolean {
	const service = serviceOfHost(host, namespace);
	return (
		service !== undefined &&
		(mentionsEgress(service.name) || (canonicalHost(host).includes(".") && mentionsEgress(service.namespace)))
	);
}

function leadingOut(
	destinations: readonly Destination[],
	hosts: ReadonlySet<string>,
	inventory: Inventory,
): readonly Destination[] {
	const patterns = new Set([...hosts].map((host) => parseHostPattern(host)?.text));
	return destinations.filter(
		(destination) =>
			isGatewayOnly(destination) &&
			!destination.mirror &&
			isExternalName(destination.host, inventory) &&
			(hosts.has("*") || isCovered(canonicalHost(destination.host), patterns)),
	);
}

/** Whether a host or a `*.suffix` among the patterns covers a name, in canonical form. */
function isCovered(name: string, patterns: ReadonlySet<string | undefined>): boolean {
	if (!name.startsWith("*") && patterns.has(name)) {
		return true;
	}
	const known = name.startsWith("*") ? name.slice(1) : name;
	const first = name.startsWith("*") ? 0 : 1;
	// No name of the DNS is longer.
	for (
		let dot = known.indexOf(".", first);
		dot >= 0 && name.length <= 255;
		dot = known.indexOf(".", dot + 1)
	) {
		if (patterns.has(`*${known.slice(dot)}`)) {
			return true;
		}
	}
	return false;
}

/** Whether another VirtualService for the same host makes the other hop. */
function hasPartner(
	route: VirtualService,
	namespace: string,
	hop: keyof Hops,
	inventory: Inventory,
): boolean {
	const seen = new Set<VirtualService>();
	const hosts = new Set((route.spec?.hosts ?? []).map(canonicalHost));
	for (const host of [...hosts].filter((each) => isExternalName(each, inventory))) {
		for (const other of inventory.lookup("virtualServiceByHost", host)) {
			if (seen.has(other) || (home(other) === namespace && other.metadata?.name === route.metadata?.name)) {
				continue;
			}
			seen.add(other);
			const destinations = [...destinationsOf(other, home(other))];
			const names = namesOf(other);
			const found =
				hop === "toHost"
					? leadingOut(destinations, names, inventory).length > 0
					: destinations.some((destination) => mayLeadToGateway(destination, home(other), names, inventory));
			if (found) {
				return true;
			}
		}
	}
	return false;
}

/** Where a VirtualService routes to an egress gateway. */
export function* steerEvidence(
	route: VirtualService,
	namespace: string,
	inventory: Inventory,
): Generator<EgressEvidence> {
	for (const destination of hopsOf(route, namespace, inventory).toGateway) {
		const verb = destination.path.includes("delegate") ? "Delegates to routes that lead" : "Routes";
		yield {
			path: destination.path,
			message: `${verb} to ${quote(destination.host)}, a sidecar-style egress gateway, which has no place where ambient is enforced`,
		};
	}
}

/** Where a VirtualService attaches to a Gateway of an egress gateway's pods, or sends on from one to the outside. */
export function* attachEvidence(
	route: VirtualService,
	namespace: string,
	inventory: Inventory,
): Generator<EgressEvidence> {
	const outward = allNames(hopsOf(route, namespace, inventory).toHost.map(({ gateways }) => gateways));
	const destinations = [...destinationsOf(route, namespace, inventory)];
	const used = allNames(destinations.map(({ gateways }) => gateways));
	const hosts = new Set((route.spec?.hosts ?? []).map(canonicalHost));
	const outside = new Set([...hosts].filter((host) => isExternalEntry(host, inventory)));
	const looping = allNames(
		destinations
			.filter((destination) => isGatewayOnly(destination) && outside.has(canonicalHost(destination.host)))
			.map(({ gateways }) => gateways),
	);
	const seen = new Set<string>();
	for (const { path, name } of gatewayReferences(route)) {
		const key = gatewayOfReference(name, namespace);
		if (key === meshGateway || seen.has(key)) {
			continue;
		}
		seen.add(key);
		if (isEgressGateway(key, outward, used, looping.has(key), inventory)) {
			yield {
				path,
				message: `Attaches to ${quote(name)}, a Gateway of a sidecar-style egress gateway, which has no place where ambient is enforced`,
			};
		}
	}
}

function isEgressGateway(
	key: string,
	outward: ReadonlySet<string>,
	used: ReadonlySet<string>,
	loop: boolean,
	inventory: Inventory,
): boolean {
	const slash = key.indexOf("/");
	const [namespace, name] = [key.slice(0, slash), key.slice(slash + 1)];
	const gateway = inventory.get("IstioGateway", namespace, name);
	if (gateway !== undefined) {
		const selector = gateway.spec?.selector ?? {};
		return selectsEgressPods(selector, inventory) || (outward.has(key) && !areOtherGatewayLabels(selector));
	}
	if (saysOtherGateway(name)) {
		return false;
	}
	return (
		name === builtInService ||
		outward.has(key) ||
		// On an ingress gateway, a host that is sent to itself, outside the mesh, would come back for ever.
		loop ||
		// Nobody has to send on to the internet: a forward proxy of the cluster may stand between.
		(saysEgressGateway(name) && used.has(key))
	);
}

/** Every Gateway that a VirtualService names, with where it stands. */
export function* gatewayReferences(
	route: VirtualService,
): Generator<{ readonly path: Path; readonly name: string }> {
	const { gateways, http, tls, tcp } = route.spec ?? {};
	for (const [index, name] of (gateways ?? []).entries()) {
		yield { path: ["spec", "gateways", index], name };
	}
	for (const [kind, routes] of [
		["http", http],
		["tls", tls],
		["tcp", tcp],
	] as const) {
		for (const [at, { match }] of (routes ?? []).entries()) {
			for (const [index, each] of (match ?? []).entries()) {
				for (const [place, name] of (each.gateways ?? []).entries()) {
					yield { path: ["spec", kind, at, "match", index, "gateways", place], name };
				}
			}
		}
	}
}

// A shared ingress gateway may have thousands of routes, and a verdict has to cost the same everywhere.
const mostRoutes = 128;

/** Whether VirtualServices of the inventory send traffic out of the cluster through a Gateway. */
export function isUsedForEgress(gateway: string, inventory: Inventory): boolean {
	let looked = 0;
	for (const route of inventory.lookup("virtualServiceByGateway", gateway)) {
		if (++looked > mostRoutes) {
			return false;
		}
		if (
			hopsOf(route, home(route), inventory).toHost.some((destination) => destination.gateways.has(gateway))
		) {
			return true;
		}
	}
	return false;
}

/** Whether VirtualServices of the inventory make the sidecars send external hosts to this Service. */
export function isSteeredTo(host: string, namespace: string, inventory: Inventory): boolean {
	const service = serviceOfHost(host, namespace);
	if (service === undefined) {
		return false;
	}
	let looked = 0;
	for (const route of inventory.lookup("virtualServiceByService", `${service.namespace}/${service.name}`)) {
		if (++looked > mostRoutes) {
			return false;
		}
		for (const destination of hopsOf(route, home(route), inventory).toGateway) {
			const target = serviceOfHost(destination.host, home(route));
			if (target?.name === service.name && target.namespace === service.namespace) {
				return true;
			}
		}
	}
	return false;
}
