import type { Path } from "../core/finding.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import { isEgressService, isExternalName } from "../istio/egress/services.ts";
import type { Destination } from "../istio/egress/virtual-services.ts";
import { coversHost } from "./bundles.ts";
import { fieldsOf, listOf, numberOf, textOf, textsOf } from "./fields.ts";
import { gatewayApiHopRoutes } from "./gateway-api-hop-routes.ts";
import type { Family, HopRoute } from "./hop-route.ts";
import type { InputObject } from "./input-object.ts";
import type { NotedOutcome } from "./ledger.ts";
import { Ledger } from "./ledger.ts";
import type { Bundle, Participant } from "./participant.ts";

/** The kind of traffic that a route carries, which a port of a ServiceEntry has to say. */
export type Traffic = "HTTP" | "TLS" | "TCP";

/** One port of one external host that clients use, and the port to which the egress gateway connected. */
export interface PortDemand {
	readonly host: string;
	readonly port: number;
	readonly traffic: Traffic;
	readonly target: number | undefined;
	/** The port of the gateway that the clients were sent to. */
	readonly listener: number | undefined;
	/** The namespace of the route that says so. */
	readonly namespace: string;
}

const defaultPorts = { http: 80, tls: 443, tcp: undefined } as const;

/** What the clients of a bundle's hosts need, from both hops of all its VirtualServices. */
export function portDemandsOf(
	bundle: Bundle,
	inventory: Inventory,
): { readonly demands: readonly PortDemand[]; readonly outcomes: readonly NotedOutcome[] } {
	const routes = bundle.participants.filter((participant) => participant.hops !== undefined);
	const gatewayApi = gatewayApiHopRoutes(bundle);
	const toGateway = [
		...bundle.participants.flatMap((participant) => hopsOfEndpoints(participant, inventory)),
		...routes.flatMap((participant) =>
			(participant.hops?.toGateway ?? []).flatMap((destination) => hopsToGateway(participant, destination)),
		),
		...gatewayApi.toGateway,
	];
	const toHost = [
		...routes.flatMap((participant) =>
			destinationsOutside(participant, inventory).flatMap((destination) =>
				hopsToHost(participant, destination),
			),
		),
		...gatewayApi.toHost,
	];
	const demands = new Map<string, PortDemand>();
	for (const hop of [...toGateway, ...toHost.filter((each) => !hasHopToGateway(each, toGateway))]) {
		for (const host of hop.hosts.filter((each) => isExternalName(each, inventory))) {
			const port = hop.port ?? defaultPorts[hop.family];
			if (port === undefined) {
				continue;
			}
			const traffic = trafficOf(host, port, hop.family, bundle);
			const out = nextHop(hop, host, toHost);
			const target = out?.target ?? hop.target;
			const { listener, namespace } = hop;
			demands.set(`${host}:${port}`, { host, port, traffic, target, listener, namespace });
		}
	}
	return { demands: [...demands.values()], outcomes: outcomesOfHops(routes) };
}

/** Legs of the gateway to the outside, also to other hosts than the route's own. */
export function destinationsOutside(participant: Participant, inventory: Inventory): readonly Destination[] {
	return participant.hops?.toHost.filter((destination) => isExternalName(destination.host, inventory)) ?? [];
}

function hasHopToGateway(out: HopRoute, toGateway: readonly HopRoute[]): boolean {
	return toGateway.some(
		(hop) =>
			(isSameWay(hop.family, out.family) || isListenedTo(hop, out)) &&
			out.hosts.some((host) => isFor(hop, host)),
	);
}

// A gateway that ends the TLS of the applications sends their connections on as requests.
function isListenedTo(hop: HopRoute, out: HopRoute): boolean {
	return out.listener !== undefined && out.listener === (hop.listener ?? hop.port);
}

// The hop to the gateway may be TLS where the gateway's own hop is plain TCP, since the gateway took the TLS off.
function isSameWay(one: Family, other: Family): boolean {
	return one === other || (one !== "http" && other !== "http");
}

function isFor(hop: HopRoute, host: string): boolean {
	return hop.hosts.some((each) => each === host || coversHost(host, each));
}

function routeAt(
	input: InputObject,
	destination: Destination,
): { readonly family: Family; readonly route: unknown } {
	const family = destination.path[1] as Family;
	return { family, route: listOf(fieldsOf(input.object.spec)[family])[Number(destination.path[2])] };
}

/** The hop of the gateway that takes over from one of the sidecars: the one on the same port of the gateway. */
function nextHop(hop: HopRoute, host: string, toHost: readonly HopRoute[]): HopRoute | undefined {
	const possible = toHost.filter((each) => isSameWay(hop.family, each.family) && isFor(each, host));
	const listening = possible.filter(
		(each) => each.listener !== undefined && each.listener === (hop.listener ?? hop.port),
	);
	// Of several routes the last is the one for everything else; the others name the ports that they go to.
	return listening.at(-1) ?? possible.findLast((each) => each.listener === undefined) ?? possible[0];
}

/** What a route's matches say of hosts and ports; a route without matches says nothing of them. */
function matchesOf(
	route: unknown,
): readonly { readonly sni: readonly string[]; readonly port: number | undefined }[] {
	const matches = listOf(fieldsOf(route).match).map(fieldsOf);
	return (matches.length > 0 ? matches : [{}]).map((match) => ({
		sni: textsOf(match.sniHosts ?? match.sni_hosts).map(canonicalHost),
		port: numberOf(match.port),
	}));
}

function hopsToGateway({ input }: Participant, destination: Destination): readonly HopRoute[] {
	const { family, route } = routeAt(input, destination);
	const hosts = textsOf(fieldsOf(input.object.spec).hosts).map(canonicalHost);
	return matchesOf(route).map(({ sni, port }) => ({
		hosts: (sni.length > 0 ? sni : hosts).filter((host) => host !== "*"),
		family,
		port: port ?? (family === "tcp" ? destination.port : undefined),
		target: undefined,
		listener: destination.port,
		namespace: input.namespace,
	}));
}

function hopsToHost({ input }: Participant, destination: Destination): readonly HopRoute[] {
	const { family, route } = routeAt(input, destination);
	return matchesOf(route).map(({ port }) => ({
		hosts: [canonicalHost(destination.host)],
		family,
		port: family === "http" ? 80 : (destination.port ?? port),
		target: destination.port,
		listener: port,
		namespace: input.namespace,
	}));
}

const httpClass = /^(?:HTTP|HTTP2|GRPC|GRPC-WEB)$/i;
const tlsClass = /^(?:HTTPS|TLS)$/i;

/** The hops from the clients of a ServiceEntry whose endpoints are the egress gateway: no route leads them there. */
function hopsOfEndpoints({ role, input }: Participant, inventory: Inventory): readonly HopRoute[] {
	const spec = fieldsOf(input.object.spec);
	const through = listOf(spec.endpoints)
		.map(fieldsOf)
		.find((each) => isEgressService(textOf(each.address) ?? "", input.namespace, inventory));
	if (role !== "entry" || through === undefined) {
		return [];
	}
	const hosts = textsOf(spec.hosts).map(canonicalHost);
	return listOf(spec.ports)
		.map(fieldsOf)
		.map((port): HopRoute => {
			const protocol = textOf(port.protocol) ?? "";
			const number = numberOf(port.number);
			const mapped = numberOf(fieldsOf(through.ports)[textOf(port.name) ?? ""]);
			return {
				hosts,
				family: httpClass.test(protocol) ? "http" : tlsClass.test(protocol) ? "tls" : "tcp",
				port: number,
				target: undefined,
				listener: mapped ?? numberOf(port.targetPort) ?? number,
				namespace: input.namespace,
			};
		});
}

/** What the traffic on a port is: what the ServiceEntry says of it, then what kind of route it takes. */
function trafficOf(host: string, port: number, family: Family, bundle: Bundle): Traffic {
	for (const { role, input } of bundle.participants) {
		const spec = fieldsOf(input.object.spec);
		if (role !== "entry" || !textsOf(spec.hosts).some((each) => canonicalHost(each) === host)) {
			continue;
		}
		const declared = listOf(spec.ports)
			.map(fieldsOf)
			.find((each) => each.number === port);
		const protocol = textOf(declared?.protocol)?.toUpperCase() ?? "";
		if (/^(?:HTTPS|TLS)$/.test(protocol)) {
			return "TLS";
		}
		if (/^(?:HTTP|HTTP2|GRPC|GRPC-WEB)$/.test(protocol)) {
			return "HTTP";
		}
	}
	if (family === "http") {
		return port === 443 ? "TLS" : "HTTP";
	}
	return family === "tls" ? "TLS" : "TCP";
}

function noteMatches(
	ledger: Ledger,
	input: Participant["input"],
	base: Path,
	matches: readonly unknown[],
	isSteer: boolean,
): void {
	for (const [index, match] of matches.map(fieldsOf).entries()) {
		const path = [...base, "match", index];
		ledger.note(input, [...path, "name"], "implied", "the name of a match that goes");
		ledger.note(input, [...path, "gateways"], "implied", "ztunnel leads every client to the waypoint");
		ledger.note(
			input,
			[...path, "port"],
			isSteer ? "carried" : "implied",
			isSteer ? "as a port of the ServiceEntry" : "the listener of the gateway is not needed",
		);
		for (const name of ["sniHosts", "sni_hosts"]) {
			ledger.note(input, [...path, name], "carried", "as hosts of the ServiceEntry");
		}
		if (Object.keys(match).length === 0) {
			ledger.note(input, path, "implied", "it matches everything");
		}
	}
}

/** What became of the plain parts of both hops. */
function outcomesOfHops(routes: readonly Participant[]): readonly NotedOutcome[] {
	const ledger = new Ledger();
	for (const { input, hops } of routes) {
		for (const destination of [...(hops?.toGateway ?? []), ...(hops?.toHost ?? [])]) {
			const isSteer = hops?.toGateway.includes(destination) === true;
			const { route } = routeAt(input, destination);
			noteMatches(ledger, input, destination.path.slice(0, 3), listOf(fieldsOf(route).match), isSteer);
			const path = destination.path.slice(0, -1);
			if (isSteer) {
				ledger.note(input, path, "implied", "the hop to the egress gateway is not needed");
			} else {
				ledger.note(input, [...path, "host"], "carried", "as a host of the ServiceEntry");
				ledger.note(input, [...path, "port"], "carried", "as port or targetPort of the ServiceEntry");
			}
			const weight = [...destination.path.slice(0, 5), "weight"];
			if (listOf(fieldsOf(route).route).length === 1) {
				ledger.note(input, weight, "implied", "there is one destination");
			}
		}
	}
	return ledger.outcomes;
}
