import { canonicalHost } from "../core/host-pattern.ts";
import { isExternalName } from "../istio/egress/services.ts";
import type { BoundEntry } from "./bound-entry.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, numberOf, objectName, textOf, textsOf, without } from "./fields.ts";
import type { InputObject, Output } from "./input-object.ts";
import type { Participant } from "./participant.ts";
import type { Step } from "./step.ts";
import { needsSubset } from "./subsets.ts";

/**
 * TLS and TCP routes of the old gateway, where they say more than host and port: shares of several destinations. A
 * waypoint takes such a route by port alone (Istio pilot/pkg/networking/core/listener_waypoint.go: getTCPRouteMatch).
 */
export function carryConnections(
	participant: Participant,
	step: Step,
	entries: readonly BoundEntry[],
): readonly Output[] {
	const { input, hops } = participant;
	const written = new Map<BoundEntry, { readonly hosts: Set<string>; readonly tcp: Fields[] }>();
	for (const family of ["tls", "tcp"] as const) {
		for (const [index, route] of listOf(fieldsOf(input.object.spec)[family]).map(fieldsOf).entries()) {
			noteMatches(input, family, index, route, step);
			const isOut = (hops?.toHost ?? []).some(
				(destination) => destination.path[1] === family && destination.path[2] === index,
			);
			const destinations = listOf(route.route).map((each) => fieldsOf(fieldsOf(each).destination));
			const says = destinations.length > 1 || destinations.some((each) => needsSubset(each, step.bundle));
			if (!isOut || !says) {
				continue;
			}
			const path = ["spec", family, index, "route"];
			const { entry, hosts, ports } = destinationOf(input, family, route, step, entries);
			if (entry === undefined || ports.length === 0) {
				const reason = "no ServiceEntry for its hosts could be written";
				step.ledger.note(input, path, "not carried", reason);
				continue;
			}
			for (const at of listOf(route.route).keys()) {
				step.ledger.note(input, [...path, at, "weight"], "carried", "in the VirtualService at the waypoint");
			}
			step.ledger.note(input, path, "carried", "in the VirtualService at the waypoint");
			const one = written.get(entry) ?? { hosts: new Set<string>(), tcp: [] };
			written.set(entry, one);
			for (const host of hosts) {
				one.hosts.add(host);
			}
			const match = ports.map((port) => ({ port }));
			one.tcp.push({
				match,
				route: listOf(route.route).map((each) => forOneHop(fieldsOf(each), step)),
			});
		}
	}
	return [...written].map(([entry, { hosts, tcp }]) => {
		const name = objectName(`${input.name}-waypoint-tcp`);
		step.notes.push(
			`\`${input.namespace}/${input.name}\` shares connections out, which becomes the VirtualService \`${entry.namespace}/${name}\`, whose support at waypoints is Alpha.`,
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
	input: InputObject,
	family: "tls" | "tcp",
	route: Fields,
	{ demands, inventory }: Step,
	entries: readonly BoundEntry[],
): {
	readonly entry: BoundEntry | undefined;
	readonly hosts: readonly string[];
	readonly ports: readonly number[];
} {
	const matches = listOf(route.match).map(fieldsOf);
	const sni = matches.flatMap((match) => textsOf(match.sniHosts)).map(canonicalHost);
	const all = sni.length > 0 ? sni : textsOf(fieldsOf(input.object.spec).hosts).map(canonicalHost);
	const external = all.filter((host) => isExternalName(host, inventory));
	const entry = entries.find((each) => external.some((host) => each.hosts.includes(host)));
	const hosts = external.filter((host) => entry?.hosts.includes(host));
	const listeners = matches.flatMap((match) => numberOf(match.port) ?? []);
	const ports = demands
		.filter((demand) => hosts.includes(demand.host) && demand.traffic === (family === "tls" ? "TLS" : "TCP"))
		.filter((demand) => listeners.length === 0 || listeners.includes(demand.listener ?? demand.port))
		.map((demand) => demand.port);
	return { entry, hosts, ports: [...new Set(ports)] };
}

function forOneHop(own: Fields, { bundle }: Step): Fields {
	const destination = fieldsOf(own.destination);
	const rest = needsSubset(destination, bundle) ? destination : without(destination, "subset");
	return { ...own, destination: { ...rest, host: canonicalHost(textOf(destination.host) ?? "") } };
}

const notMatched = [
	"destinationSubnets",
	"destination_subnets",
	"sourceLabels",
	"sourceNamespace",
	"sourceSubnet",
] as const;

function noteMatches(
	input: InputObject,
	family: "tls" | "tcp",
	index: number,
	route: Fields,
	{ ledger, notes }: Step,
): void {
	for (const [at, match] of listOf(route.match).map(fieldsOf).entries()) {
		for (const field of notMatched.filter((each) => match[each] !== undefined)) {
			const instead = field.startsWith("source")
				? "so every client takes this way: say who may in an AuthorizationPolicy"
				: "list addresses in the ServiceEntry instead";
			const reason = `a waypoint chooses by the ServiceEntry's host and port: ${instead}`;
			ledger.note(input, ["spec", family, index, "match", at, field], "not carried", reason);
			notes.push(`\`${input.namespace}/${input.name}\` matches by ${field}: ${reason}.`);
		}
	}
}
