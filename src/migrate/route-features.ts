import type { Path } from "../core/finding.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import { isExternalName } from "../istio/egress/services.ts";
import type { Bundle, Part } from "./bundles.ts";
import { carryConnections } from "./connection-routes.ts";
import type { BoundEntry, Conversion } from "./entries.ts";
import { toHttpRouteRules } from "./http-route.ts";
import type { Item, Output } from "./item.ts";
import type { Fields } from "./raw.ts";
import { fieldsOf, listOf, numberOf, objectName, textOf, textsOf, without } from "./raw.ts";
import type { Place } from "./service-ports.ts";
import { httpPorts, servicePort } from "./service-ports.ts";
import { needsSubset, noteSubsets } from "./subsets.ts";

const plainRoute: ReadonlySet<string> = new Set(["match", "route", "name"]);
const plainMatch: ReadonlySet<string> = new Set(["gateways", "port", "name"]);

/** A route of the old gateway as the waypoint would have it, and where it stood. */
interface CarriedRoute {
	readonly index: number;
	readonly route: Fields;
	readonly steers: boolean;
}

/** Retries, timeouts, header changes, matches, splits and mirrors, as routes of the host at its waypoint. */
export function carriedRoutes(conversion: Conversion, entries: readonly BoundEntry[]): readonly Output[] {
	const outputs: Output[] = [];
	for (const part of conversion.bundle.parts) {
		if (part.hops !== undefined) {
			outputs.push(...carryHttp(part, conversion, entries));
			outputs.push(...carryConnections(part, conversion, entries));
		}
	}
	noteSubsets(conversion);
	return outputs;
}

function carryHttp(part: Part, conversion: Conversion, entries: readonly BoundEntry[]): readonly Output[] {
	const { item, hops } = part;
	const { ledger } = conversion;
	const routes = listOf(fieldsOf(item.object.spec).http).map(fieldsOf);
	const indexes = (legs: readonly { readonly path: readonly (string | number)[] }[] | undefined) =>
		new Set((legs ?? []).filter((leg) => leg.path[1] === "http").map((leg) => Number(leg.path[2])));
	const steering = indexes(hops?.steers);
	const forwarding = indexes(hops?.forwards);
	const chosen = forwarding.size > 0 ? forwarding : steering;
	const carried: CarriedRoute[] = routes.flatMap((route, index) =>
		chosen.has(index) || answersItself(route) ? [{ index, route, steers: chosen === steering }] : [],
	);
	const extra =
		chosen === forwarding
			? routes.flatMap((route, index) => (steering.has(index) ? [{ index, route }] : []))
			: [];
	const only = extra.length === 1 ? extra[0] : undefined;
	const overlaid = carried.map((each) => ({ ...each, route: overlay(each.route, only?.route) }));
	noteOverlay(item, carried, extra, conversion);
	if (!overlaid.some((each) => hasFeatures(each.route, conversion.bundle))) {
		return [];
	}
	const hosts = textsOf(fieldsOf(item.object.spec).hosts)
		.map(canonicalHost)
		.filter((host) => isExternalName(host, conversion.inventory));
	const entry = entries.find((each) => hosts.some((host) => each.hosts.includes(host)));
	if (entry === undefined) {
		for (const { index } of carried) {
			ledger.note(
				item,
				["spec", "http", index],
				"not carried",
				"no ServiceEntry for its hosts could be written",
			);
		}
		return [];
	}
	const place: Place = { hosts, entry, entries, conversion };
	const http = overlaid.flatMap((each) => forWaypoint(item, each, place));
	return [routeOutput(item, hosts, http, carried, entry, conversion)];
}

/** Whether a route has an answer of its own instead of a destination. */
export function answersItself(route: Fields): boolean {
	return route.route === undefined && (route.redirect !== undefined || route.directResponse !== undefined);
}

function hasFeatures(route: Fields, bundle: Bundle): boolean {
	const destinations = listOf(route.route).map(fieldsOf);
	return (
		Object.keys(route).some((field) => !plainRoute.has(field)) ||
		destinations.length > 1 ||
		destinations.some(
			(each) => each.headers !== undefined || needsSubset(fieldsOf(each.destination), bundle),
		) ||
		listOf(route.match)
			.map(fieldsOf)
			.some((match) => Object.keys(match).some((field) => !plainMatch.has(field)))
	);
}

/** What only the hop from the sidecars said holds for the one hop that is left. */
function overlay(route: Fields, extra: Fields | undefined): Fields {
	return extra === undefined ? route : { ...without(extra, ...plainRoute), ...route };
}

function noteOverlay(
	item: Item,
	carried: readonly CarriedRoute[],
	extra: readonly { readonly index: number; readonly route: Fields }[],
	{ ledger }: Conversion,
): void {
	for (const { index, route } of extra) {
		for (const field of Object.keys(route).filter((each) => !plainRoute.has(each))) {
			const taken = carried.some((each) => Object.hasOwn(each.route, field));
			const fate = taken || extra.length > 1 ? "not carried" : "carried";
			const note = taken
				? "the gateway's own hop says it too, and that one is carried"
				: extra.length > 1
					? "several hops from the sidecars differ, and one hop is left"
					: "in the route at the waypoint";
			ledger.note(item, ["spec", "http", index, field], fate, note);
		}
		ledger.note(item, ["spec", "http", index, "name"], "implied", "the name of a route that goes");
		for (const [at, match] of listOf(route.match).map(fieldsOf).entries()) {
			for (const field of Object.keys(match).filter((each) => !plainMatch.has(each))) {
				const path = ["spec", "http", index, "match", at, field];
				ledger.note(
					item,
					path,
					"not carried",
					"a match on the way to the gateway; the gateway's own is carried",
				);
			}
		}
	}
}

/**
 * A route in the terms of the waypoint: without gateways, with the ports that clients use instead of the gateway's.
 * A route for one port of several stays one for that port; it becomes several where several ports led to it.
 */
function forWaypoint(item: Item, { index, route, steers }: CarriedRoute, place: Place): readonly Fields[] {
	const matches = listOf(route.match).map(fieldsOf);
	const single = httpPorts(place.entry).length < 2;
	const groups = new Map<number | undefined, Fields[]>();
	for (const match of matches.length > 0 ? matches : [{}]) {
		const rest = without(match, "gateways", "port", "sniHosts");
		for (const port of single ? [undefined] : clientPorts(numberOf(match.port), steers, place)) {
			const own = port === undefined ? rest : { ...rest, port };
			groups.set(port, [...(groups.get(port) ?? []), own]);
		}
	}
	return [...groups].map(([port, terms]) => {
		// A match without terms matches everything, whatever stands beside it.
		const all = terms.some((match) => Object.keys(match).length === 0);
		const destinations = listOf(route.route).map((each, at) => {
			const path = ["spec", "http", index, "route", at, "destination", "port"];
			return forOneHop(item, fieldsOf(each), path, port, steers, place);
		});
		return {
			...without(route, "match", "route"),
			...(all ? {} : { match: terms }),
			...(destinations.length > 0 ? { route: destinations } : {}),
		};
	});
}

/** The ports of the clients whose traffic came to a port of the gateway; undefined stands for all of them. */
function clientPorts(
	listener: number | undefined,
	steers: boolean,
	{ hosts, conversion }: Place,
): readonly (number | undefined)[] {
	if (listener === undefined || steers) {
		return [listener];
	}
	const ports = conversion.wishes
		.filter((wish) => hosts.includes(wish.host) && wish.traffic === "HTTP")
		.filter((wish) => (wish.listener ?? wish.port) === listener)
		.map((wish) => wish.port);
	return ports.length > 0 ? [...new Set(ports)] : [undefined];
}

function forOneHop(
	item: Item,
	own: Fields,
	path: Path,
	port: number | undefined,
	steers: boolean,
	place: Place,
): Fields {
	const destination = fieldsOf(own.destination);
	const host = steers ? (place.hosts[0] ?? "") : (textOf(destination.host) ?? "");
	const target = steers ? undefined : numberOf(fieldsOf(destination.port).number);
	const number = servicePort(host, target, port, place);
	const keepsSubset = !steers && needsSubset(destination, place.conversion.bundle);
	if (number === "none") {
		const reason = `the ServiceEntry for ${host} has no port behind which ${String(target)} lies`;
		place.conversion.ledger.note(item, path, "not carried", reason);
		place.conversion.notes.push(
			`\`${item.namespace}/${item.name}\` sends to port ${String(target)}: ${reason}.`,
		);
	}
	return {
		...own,
		destination: {
			...without(destination, "port", ...(keepsSubset ? [] : ["subset"])),
			host,
			...(typeof number === "number" ? { port: { number } } : {}),
		},
	};
}

function routeOutput(
	item: Item,
	hosts: readonly string[],
	http: readonly Fields[],
	carried: readonly CarriedRoute[],
	entry: BoundEntry,
	conversion: Conversion,
): Output {
	const { ledger, notes } = conversion;
	const whole = hosts.length === entry.hosts.length && hosts.every((host) => entry.hosts.includes(host));
	const rules = whole ? toHttpRouteRules(http, hosts) : undefined;
	const kind = rules === undefined ? "VirtualService" : "HTTPRoute";
	for (const { index, route } of carried) {
		for (const field of Object.keys(route).filter((each) => each !== "route")) {
			ledger.note(item, ["spec", "http", index, field], "carried", `in the ${kind} at the waypoint`);
		}
		noteMatches(item, index, route, kind, conversion);
		for (const [at, destination] of listOf(route.route).map(fieldsOf).entries()) {
			// The hop's own destinations have said more of themselves: as host and port of the ServiceEntry.
			const base = ["spec", "http", index, "route", at];
			ledger.note(item, base, "carried", `in the ${kind} at the waypoint`);
			for (const field of Object.keys(destination).filter((each) => each !== "destination")) {
				const path = [...base, field];
				ledger.note(item, path, "carried", `in the ${kind} at the waypoint`);
			}
			const subset = ["spec", "http", index, "route", at, "destination", "subset"];
			if (fieldsOf(destination.destination).subset !== undefined) {
				ledger.note(item, subset, "carried", `in the ${kind} at the waypoint`);
			}
		}
	}
	const name = objectName(`${item.name}-waypoint`);
	const metadata = { name, namespace: entry.namespace };
	const purpose = `routes of ${hosts.join(", ")} at the waypoint`;
	if (rules !== undefined) {
		const parentRefs = [{ group: "networking.istio.io", kind: "ServiceEntry", name: entry.name }];
		const object = {
			apiVersion: "gateway.networking.k8s.io/v1",
			kind,
			metadata,
			spec: { parentRefs, rules },
		};
		return { stage: "2-switch", object, purpose };
	}
	notes.push(
		`\`${item.namespace}/${item.name}\` says things that an HTTPRoute of the standard channel cannot say (or for some hosts of its ServiceEntry only), so it becomes the VirtualService \`${entry.namespace}/${name}\`, whose support at waypoints is Alpha. Do not put an HTTPRoute beside it.`,
	);
	const object = {
		apiVersion: "networking.istio.io/v1",
		kind,
		metadata,
		spec: { hosts, http },
	};
	return { stage: "2-switch", object, purpose };
}

function noteMatches(item: Item, index: number, route: Fields, kind: string, { ledger }: Conversion): void {
	for (const [at, match] of listOf(route.match).map(fieldsOf).entries()) {
		for (const field of Object.keys(match)) {
			const path = ["spec", "http", index, "match", at, field];
			if (plainMatch.has(field)) {
				const fate = field === "port" ? "carried" : "implied";
				ledger.note(
					item,
					path,
					fate,
					field === "port" ? "as a port of the ServiceEntry" : "there is one hop now",
				);
			} else if (/^source/.test(field)) {
				ledger.note(item, path, "not carried", "a waypoint does not match on source labels or namespaces");
			} else {
				ledger.note(item, path, "carried", `in the ${kind} at the waypoint`);
			}
		}
	}
}
