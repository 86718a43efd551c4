import { canonicalHost } from "../core/host-pattern.ts";
import { isExternalName } from "../istio/egress/services.ts";
import type { Part } from "./bundles.ts";
import type { BoundEntry, Conversion } from "./entries.ts";
import type { Item, Output } from "./item.ts";
import type { Fields } from "./raw.ts";
import { fieldsOf, listOf, numberOf, objectName, textOf, textsOf, without } from "./raw.ts";
import { needsSubset } from "./subsets.ts";

/**
 * TLS and TCP routes of the old gateway, where they say more than host and port: shares of several destinations. A
 * waypoint takes such a route by port alone (Istio pilot/pkg/networking/core/listener_waypoint.go: getTCPRouteMatch).
 */
export function carryConnections(
	part: Part,
	conversion: Conversion,
	entries: readonly BoundEntry[],
): readonly Output[] {
	const { item, hops } = part;
	const written = new Map<BoundEntry, { readonly hosts: Set<string>; readonly tcp: Fields[] }>();
	for (const family of ["tls", "tcp"] as const) {
		for (const [index, route] of listOf(fieldsOf(item.object.spec)[family]).map(fieldsOf).entries()) {
			noteMatches(item, family, index, route, conversion);
			const isOut = (hops?.forwards ?? []).some((leg) => leg.path[1] === family && leg.path[2] === index);
			const destinations = listOf(route.route).map((each) => fieldsOf(fieldsOf(each).destination));
			const says =
				destinations.length > 1 || destinations.some((each) => needsSubset(each, conversion.bundle));
			if (!isOut || !says) {
				continue;
			}
			const path = ["spec", family, index, "route"];
			const { entry, hosts, ports } = destinationOf(item, family, route, conversion, entries);
			if (entry === undefined || ports.length === 0) {
				const reason = "no ServiceEntry for its hosts could be written";
				conversion.ledger.note(item, path, "not carried", reason);
				continue;
			}
			for (const at of listOf(route.route).keys()) {
				conversion.ledger.note(
					item,
					[...path, at, "weight"],
					"carried",
					"in the VirtualService at the waypoint",
				);
			}
			conversion.ledger.note(item, path, "carried", "in the VirtualService at the waypoint");
			const one = written.get(entry) ?? { hosts: new Set<string>(), tcp: [] };
			written.set(entry, one);
			for (const host of hosts) {
				one.hosts.add(host);
			}
			const match = ports.map((port) => ({ port }));
			one.tcp.push({
				match,
				route: listOf(route.route).map((each) => forOneHop(fieldsOf(each), conversion)),
			});
		}
	}
	return [...written].map(([entry, { hosts, tcp }]) => {
		const name = objectName(`${item.name}-waypoint-tcp`);
		conversion.notes.push(
			`\`${item.namespace}/${item.name}\` shares connections out, which becomes the VirtualService \`${entry.namespace}/${name}\`, whose support at waypoints is Alpha.`,
		);
		return {
			stage: "2-switch" as const,
			object: {
				apiVersion: "networking.istio.io/v1",
				kind: "VirtualService",
				metadata: { name, namespace: entry.namespace },
				spec: { hosts: [...hosts], tcp },
			},
			purpose: `shares of the connections to ${[...hosts].join(", ")} at the waypoint`,
		};
	});
}

/** For which ServiceEntry, hosts and ports of it a route is. */
function destinationOf(
	item: Item,
	family: "tls" | "tcp",
	route: Fields,
	{ wishes, inventory }: Conversion,
	entries: readonly BoundEntry[],
): {
	readonly entry: BoundEntry | undefined;
	readonly hosts: readonly string[];
	readonly ports: readonly number[];
} {
	const matches = listOf(route.match).map(fieldsOf);
	const sni = matches.flatMap((match) => textsOf(match.sniHosts)).map(canonicalHost);
	const all = sni.length > 0 ? sni : textsOf(fieldsOf(item.object.spec).hosts).map(canonicalHost);
	const external = all.filter((host) => isExternalName(host, inventory));
	const entry = entries.find((each) => external.some((host) => each.hosts.includes(host)));
	const hosts = external.filter((host) => entry?.hosts.includes(host));
	const listeners = matches.flatMap((match) => numberOf(match.port) ?? []);
	const ports = wishes
		.filter((wish) => hosts.includes(wish.host) && wish.traffic === (family === "tls" ? "TLS" : "TCP"))
		.filter((wish) => listeners.length === 0 || listeners.includes(wish.listener ?? wish.port))
		.map((wish) => wish.port);
	return { entry, hosts, ports: [...new Set(ports)] };
}

function forOneHop(own: Fields, { bundle }: Conversion): Fields {
	const destination = fieldsOf(own.destination);
	const rest = needsSubset(destination, bundle) ? destination : without(destination, "subset");
	return { ...own, destination: { ...rest, host: canonicalHost(textOf(destination.host) ?? "") } };
}

const byAddress = ["destinationSubnets", "destination_subnets", "sourceLabels", "sourceNamespace"] as const;

function noteMatches(
	item: Item,
	family: "tls" | "tcp",
	index: number,
	route: Fields,
	{ ledger, notes }: Conversion,
): void {
	const reason =
		"a waypoint chooses by the ServiceEntry's host and port: list addresses in the ServiceEntry instead";
	for (const [at, match] of listOf(route.match).map(fieldsOf).entries()) {
		for (const field of byAddress.filter((each) => match[each] !== undefined)) {
			ledger.note(item, ["spec", family, index, "match", at, field], "not carried", reason);
			notes.push(`\`${item.namespace}/${item.name}\` matches by ${field}: ${reason}.`);
		}
	}
}
