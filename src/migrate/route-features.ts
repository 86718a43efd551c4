import { canonicalHost } from "../core/host-pattern.ts";
import { isExternalName } from "../istio/egress.ts";
import type { Part } from "./bundles.ts";
import type { BoundEntry, Conversion } from "./entries.ts";
import { toHttpRouteRules } from "./http-route.ts";
import type { Item, Output } from "./item.ts";
import type { Fields } from "./raw.ts";
import { fieldsOf, listOf, objectName, textOf, textsOf, without } from "./raw.ts";

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
			noteLayer4(part, conversion);
		}
	}
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
		chosen.has(index) ? [{ index, route, steers: chosen === steering }] : [],
	);
	const extra =
		chosen === forwarding
			? routes.flatMap((route, index) => (steering.has(index) ? [{ index, route }] : []))
			: [];
	const only = extra.length === 1 ? extra[0] : undefined;
	const overlaid = carried.map((each) => ({ ...each, route: overlay(each.route, only?.route) }));
	noteOverlay(item, carried, extra, conversion);
	if (!overlaid.some((each) => hasFeatures(each.route)) && overlaid.length < 2) {
		return [];
	}
	if (!overlaid.some((each) => hasFeatures(each.route))) {
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
	const http = overlaid.map(({ route, steers }) => forWaypoint(route, steers, hosts, entry));
	return [routeOutput(item, hosts, http, carried, entry, conversion)];
}

function hasFeatures(route: Fields): boolean {
	const destinations = listOf(route.route).map(fieldsOf);
	return (
		Object.keys(route).some((field) => !plainRoute.has(field)) ||
		destinations.length > 1 ||
		destinations.some((each) => each.headers !== undefined) ||
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

/** A route without the old gateway's terms: gateways and ports in matches, and ports behind the gateway. */
function forWaypoint(route: Fields, steers: boolean, hosts: readonly string[], entry: BoundEntry): Fields {
	const matches = listOf(route.match)
		.map((match) => without(fieldsOf(match), "gateways", "port", "sniHosts"))
		.filter((match) => Object.keys(match).length > 0);
	const destinations = listOf(route.route).map((each) => {
		const own = fieldsOf(each);
		const destination = fieldsOf(own.destination);
		const host = steers ? (hosts[0] ?? "") : (textOf(destination.host) ?? "");
		return {
			...own,
			destination: {
				...without(destination, "port", ...(steers ? ["subset"] : [])),
				host,
				port: { number: servicePort(entry) },
			},
		};
	});
	return {
		...without(route, "match", "route"),
		...(matches.length > 0 ? { match: matches } : {}),
		...(destinations.length > 0 ? { route: destinations } : {}),
	};
}

function servicePort(entry: BoundEntry): number {
	const http = entry.ports.find((port) => /^(?:HTTP|HTTP2|GRPC)/i.test(port.protocol ?? ""));
	return http?.number ?? entry.ports[0]?.number ?? 80;
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
			for (const field of Object.keys(destination).filter((each) => each !== "destination")) {
				const path = ["spec", "http", index, "route", at, field];
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

/** TLS and TCP routes say nothing that a waypoint could do beside host and port. */
function noteLayer4({ item }: Part, { ledger, notes }: Conversion): void {
	for (const family of ["tls", "tcp"] as const) {
		for (const [index, route] of listOf(fieldsOf(item.object.spec)[family]).map(fieldsOf).entries()) {
			const base = ["spec", family, index];
			for (const [at, match] of listOf(route.match).map(fieldsOf).entries()) {
				for (const field of [
					"destinationSubnets",
					"destination_subnets",
					"sourceLabels",
					"sourceNamespace",
				]) {
					if (match[field] !== undefined) {
						const reason =
							"a waypoint chooses by the ServiceEntry's host and port: list addresses in the ServiceEntry instead";
						ledger.note(item, [...base, "match", at, field], "not carried", reason);
						notes.push(`\`${item.namespace}/${item.name}\` matches by ${field}: ${reason}.`);
					}
				}
			}
			if (listOf(route.route).length > 1) {
				ledger.note(
					item,
					[...base, "route"],
					"not carried",
					"a waypoint has one destination for TLS and TCP",
				);
			}
		}
	}
}
