import { canonicalHost } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import { isExternalName } from "../istio/egress/services.ts";
import type { Leg } from "../istio/egress/virtual-services.ts";
import type { Bundle, Part } from "./bundles.ts";
import { coversHost } from "./bundles.ts";
import { gatewayApiHalves } from "./gateway-api-hops.ts";
import type { Family, Half } from "./half.ts";
import type { Item } from "./item.ts";
import type { Ledger } from "./ledger.ts";
import { fieldsOf, listOf, numberOf, textOf, textsOf } from "./raw.ts";

/** The kind of traffic that a route carries, which a port of a ServiceEntry has to say. */
export type Traffic = "HTTP" | "TLS" | "TCP";

/** One port of one external host that clients use, and the port to which the egress gateway connected. */
export interface Wish {
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
export function wishesOf(bundle: Bundle, inventory: Inventory, ledger: Ledger): readonly Wish[] {
	const routes = bundle.parts.filter((part) => part.hops !== undefined);
	const gatewayApi = gatewayApiHalves(bundle);
	const steers = [
		...routes.flatMap((part) => (part.hops?.steers ?? []).flatMap((leg) => steerHalves(part, leg))),
		...gatewayApi.steers,
	];
	const forwards = [
		...routes.flatMap((part) => outwardLegs(part, inventory).flatMap((leg) => forwardHalves(part, leg))),
		...gatewayApi.forwards,
	];
	const wishes = new Map<string, Wish>();
	for (const half of [...steers, ...forwards.filter((each) => !hasSteer(each, steers))]) {
		for (const host of half.hosts.filter((each) => isExternalName(each, inventory))) {
			const port = half.port ?? defaultPorts[half.family];
			if (port === undefined) {
				continue;
			}
			const traffic = trafficOf(host, port, half.family, bundle);
			const out = nextHop(half, host, forwards);
			const target = traffic === "HTTP" ? (out?.target ?? half.target) : undefined;
			const { listener, namespace } = half;
			wishes.set(`${host}:${port}`, { host, port, traffic, target, listener, namespace });
		}
	}
	noteHalves(routes, ledger);
	return [...wishes.values()];
}

/** Legs of the gateway to the outside, also to other hosts than the route's own. */
export function outwardLegs(part: Part, inventory: Inventory): readonly Leg[] {
	return part.hops?.forwards.filter((leg) => isExternalName(leg.host, inventory)) ?? [];
}

function hasSteer(forward: Half, steers: readonly Half[]): boolean {
	return steers.some(
		(steer) => isSameWay(steer.family, forward.family) && forward.hosts.some((host) => isFor(steer, host)),
	);
}

// The hop to the gateway may be TLS where the gateway's own hop is plain TCP, since the gateway took the TLS off.
function isSameWay(one: Family, other: Family): boolean {
	return one === other || (one !== "http" && other !== "http");
}

function isFor(half: Half, host: string): boolean {
	return half.hosts.some((each) => each === host || coversHost(host, each));
}

function routeAt(item: Item, leg: Leg): { readonly family: Family; readonly route: unknown } {
	const family = leg.path[1] as Family;
	return { family, route: listOf(fieldsOf(item.object.spec)[family])[Number(leg.path[2])] };
}

/** The hop of the gateway that takes over from one of the sidecars: the one on the same port of the gateway. */
function nextHop(half: Half, host: string, forwards: readonly Half[]): Half | undefined {
	const possible = forwards.filter((each) => isSameWay(half.family, each.family) && isFor(each, host));
	return (
		possible.find((each) => each.listener !== undefined && each.listener === (half.listener ?? half.port)) ??
		possible.find((each) => each.listener === undefined) ??
		possible[0]
	);
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

function steerHalves({ item }: Part, leg: Leg): readonly Half[] {
	const { family, route } = routeAt(item, leg);
	const hosts = textsOf(fieldsOf(item.object.spec).hosts).map(canonicalHost);
	return matchesOf(route).map(({ sni, port }) => ({
		hosts: (sni.length > 0 ? sni : hosts).filter((host) => host !== "*"),
		family,
		port: port ?? (family === "tcp" ? leg.port : undefined),
		target: undefined,
		listener: leg.port,
		namespace: item.namespace,
	}));
}

function forwardHalves({ item }: Part, leg: Leg): readonly Half[] {
	const { family, route } = routeAt(item, leg);
	return matchesOf(route).map(({ port }) => ({
		hosts: [canonicalHost(leg.host)],
		family,
		port: family === "http" ? 80 : (leg.port ?? port),
		target: leg.port,
		listener: port,
		namespace: item.namespace,
	}));
}

/** What the traffic on a port is: what the ServiceEntry says of it, then what kind of route it takes. */
function trafficOf(host: string, port: number, family: Family, bundle: Bundle): Traffic {
	for (const { role, item } of bundle.parts) {
		const spec = fieldsOf(item.object.spec);
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

/** What became of the plain parts of both hops. */
function noteHalves(routes: readonly Part[], ledger: Ledger): void {
	for (const { item, hops } of routes) {
		for (const leg of [...(hops?.steers ?? []), ...(hops?.forwards ?? [])]) {
			const isSteer = hops?.steers.includes(leg) === true;
			const base = leg.path.slice(0, 3);
			const { route } = routeAt(item, leg);
			for (const [index, match] of listOf(fieldsOf(route).match).map(fieldsOf).entries()) {
				const path = [...base, "match", index];
				ledger.note(item, [...path, "gateways"], "implied", "ztunnel leads every client to the waypoint");
				ledger.note(
					item,
					[...path, "port"],
					isSteer ? "carried" : "implied",
					isSteer ? "as a port of the ServiceEntry" : "the listener of the gateway is not needed",
				);
				for (const name of ["sniHosts", "sni_hosts"]) {
					ledger.note(item, [...path, name], "carried", "as hosts of the ServiceEntry");
				}
				if (Object.keys(match).length === 0) {
					ledger.note(item, path, "implied", "it matches everything");
				}
			}
			const destination = leg.path.slice(0, -1);
			if (isSteer) {
				ledger.note(item, destination, "implied", "the hop to the egress gateway is not needed");
			} else {
				ledger.note(item, [...destination, "host"], "carried", "as a host of the ServiceEntry");
				ledger.note(item, [...destination, "port"], "carried", "as port or targetPort of the ServiceEntry");
			}
			const weight = [...leg.path.slice(0, 5), "weight"];
			if (listOf(fieldsOf(route).route).length === 1) {
				ledger.note(item, weight, "implied", "there is one destination");
			}
		}
	}
}
