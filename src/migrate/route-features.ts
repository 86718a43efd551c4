import type { Path } from "../core/finding.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import { isExternalName } from "../istio/egress/services.ts";
import type { Hops } from "../istio/egress/virtual-services.ts";
import type { BoundEntry } from "./bound-entry.ts";
import { carryConnections } from "./connection-routes.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, numberOf, objectName, textOf, textsOf, without } from "./fields.ts";
import { toHttpRouteRules } from "./http-route.ts";
import type { InputObject, Output } from "./input-object.ts";
import type { Bundle, Participant } from "./participant.ts";
import type { Place } from "./service-ports.ts";
import { httpPorts, servicePort } from "./service-ports.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";
import { needsHash, needsSubset, noteSubsets } from "./subsets.ts";

const plainRoute: ReadonlySet<string> = new Set(["match", "route", "name"]);
const plainMatch: ReadonlySet<string> = new Set(["gateways", "port", "name"]);

/** A route of one hop, and where it stands. */
interface HopRouteAt {
	readonly input: InputObject;
	readonly index: number;
	readonly route: Fields;
}

/** A route of the old gateway as the waypoint would have it, and where it stood. */
interface CarriedRoute {
	readonly index: number;
	readonly route: Fields;
	readonly toGateway: boolean;
}

/** Retries, timeouts, header changes, matches, splits and mirrors, as routes of the host at its waypoint. */
export function carriedRoutes(conversion: Conversion, entries: readonly BoundEntry[]): StepResult {
	const step = beginStep(conversion);
	const outputs: Output[] = [];
	for (const participant of step.bundle.participants) {
		if (participant.hops !== undefined) {
			outputs.push(...carryHttp(participant, step, entries));
			outputs.push(...carryConnections(participant, step, entries));
		}
	}
	noteSubsets(step);
	return endStep(step, outputs);
}

/** The HTTP routes of one of the two hops of a VirtualService. */
function routesOfHop({ input, hops }: Participant, hop: keyof Hops): readonly HopRouteAt[] {
	const indexes = new Set(
		(hops?.[hop] ?? [])
			.filter((destination) => destination.path[1] === "http")
			.map((destination) => Number(destination.path[2])),
	);
	const routes = listOf(fieldsOf(input.object.spec).http).map(fieldsOf);
	return routes.flatMap((route, index) => (indexes.has(index) ? [{ input, index, route }] : []));
}

function hostsOf({ input }: Participant): readonly string[] {
	return textsOf(fieldsOf(input.object.spec).hosts).map(canonicalHost);
}

/** Other VirtualServices that lead the same hosts: those that make the hop from the gateway, or only the one to it. */
function partnersOf(participant: Participant, { bundle }: Step, hop: keyof Hops): readonly Participant[] {
	const hosts = hostsOf(participant);
	return bundle.participants.filter(
		(each) =>
			each !== participant &&
			routesOfHop(each, hop).length > 0 &&
			(hop === "toHost" || routesOfHop(each, "toHost").length === 0) &&
			hostsOf(each).some((host) => hosts.includes(host)),
	);
}

function carryHttp(participant: Participant, step: Step, entries: readonly BoundEntry[]): readonly Output[] {
	const { input } = participant;
	const { ledger } = step;
	const routes = listOf(fieldsOf(input.object.spec).http).map(fieldsOf);
	const toGateway = routesOfHop(participant, "toGateway");
	const toHost = routesOfHop(participant, "toHost");
	if (toHost.length === 0 && partnersOf(participant, step, "toHost").length > 0) {
		// Its partner carries what it says, with the routes of its own.
		return [];
	}
	const chosen = toHost.length > 0 ? toHost : toGateway;
	const carried: CarriedRoute[] = routes.flatMap((route, index) =>
		chosen.some((each) => each.index === index) || answersItself(route)
			? [{ index, route, toGateway: chosen === toGateway }]
			: [],
	);
	const others = partnersOf(participant, step, "toGateway").flatMap((each) => routesOfHop(each, "toGateway"));
	const extra = chosen === toHost ? [...toGateway, ...others] : [];
	const only = extra.length === 1 ? extra[0] : undefined;
	const isEvery = carried.every((each) => isPlain(each.route));
	const overlaid = carried.map((each) => ({ ...each, route: overlay(each.route, only?.route, isEvery) }));
	noteOverlay(carried, extra, step);
	if (!overlaid.some((each) => hasFeatures(each.route, step.bundle))) {
		return [];
	}
	const hosts = textsOf(fieldsOf(input.object.spec).hosts)
		.map(canonicalHost)
		.filter((host) => isExternalName(host, step.inventory));
	const entry = entries.find((each) => hosts.some((host) => each.hosts.includes(host)));
	if (entry === undefined) {
		for (const { index } of carried) {
			ledger.note(
				input,
				["spec", "http", index],
				"not carried",
				"no ServiceEntry for its hosts could be written",
			);
		}
		return [];
	}
	const place: Place = { hosts, entry, entries, step };
	const http = overlaid.flatMap((each) => forWaypoint(input, each, place));
	return [routeOutput(input, hosts, http, carried, entry, step)];
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
			(each) =>
				each.headers !== undefined ||
				needsSubset(fieldsOf(each.destination), bundle) ||
				needsHash(fieldsOf(each.destination), bundle),
		) ||
		listOf(route.match)
			.map(fieldsOf)
			.some((match) => Object.keys(match).some((field) => !plainMatch.has(field)))
	);
}

/** Copies of what clients send go to ports that the clients' hop named. */
const copies: readonly string[] = [
	"mirror",
	"mirrors",
	"mirrorPercentage",
	"mirrorPercent",
	"mirror_percent",
];
/** What changes a request before the gateway chose by it. */
const rewrites: readonly string[] = ["rewrite", "headers"];

function isPlain(route: Fields): boolean {
	return listOf(route.match)
		.map(fieldsOf)
		.every((match) => Object.keys(match).every((field) => plainMatch.has(field)));
}

/** What only the hop from the sidecars said holds for the one hop that is left. */
function overlay(route: Fields, extra: Fields | undefined, isEveryPlain: boolean): Fields {
	if (extra === undefined) {
		return route;
	}
	const left = [...plainRoute, ...copies, ...(isEveryPlain ? [] : rewrites)];
	return { ...without(extra, ...left), ...route };
}

/** Why what a hop from the sidecars says cannot hold for the one hop that is left. */
function whyLost(
	field: string,
	carried: readonly CarriedRoute[],
	extra: readonly HopRouteAt[],
): string | undefined {
	if (copies.includes(field) || (rewrites.includes(field) && !carried.every((each) => isPlain(each.route)))) {
		return "it came before the gateway chose a route, and one hop is left: put it into the route at the waypoint by hand";
	}
	if (carried.some((each) => Object.hasOwn(each.route, field))) {
		return "the gateway's own hop says it too, and that one is carried";
	}
	return extra.length > 1 ? "several hops from the sidecars differ, and one hop is left" : undefined;
}

function noteOverlay(carried: readonly CarriedRoute[], extra: readonly HopRouteAt[], { ledger }: Step): void {
	for (const { input, index, route } of extra) {
		for (const field of Object.keys(route).filter((each) => !plainRoute.has(each))) {
			const lost = whyLost(field, carried, extra);
			const outcome = lost === undefined ? "carried" : "not carried";
			const note = lost ?? "in the route at the waypoint";
			ledger.note(input, ["spec", "http", index, field], outcome, note);
		}
		ledger.note(input, ["spec", "http", index, "name"], "implied", "the name of a route that goes");
		for (const [at, match] of listOf(route.match).map(fieldsOf).entries()) {
			const base = ["spec", "http", index, "match", at];
			ledger.note(input, [...base, "name"], "implied", "the name of a match that goes");
			for (const field of Object.keys(match).filter((each) => !plainMatch.has(each))) {
				const path = [...base, field];
				ledger.note(
					input,
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
function forWaypoint(
	input: InputObject,
	{ index, route, toGateway }: CarriedRoute,
	place: Place,
): readonly Fields[] {
	const matches = listOf(route.match).map(fieldsOf);
	const single = httpPorts(place.entry).length < 2;
	const groups = new Map<number | undefined, Fields[]>();
	for (const match of matches.length > 0 ? matches : [{}]) {
		const rest = without(match, "gateways", "port", "sniHosts", "sourceLabels", "sourceNamespace");
		for (const port of single ? [undefined] : clientPorts(numberOf(match.port), toGateway, place)) {
			const own = port === undefined ? rest : { ...rest, port };
			groups.set(port, [...(groups.get(port) ?? []), own]);
		}
	}
	return [...groups].map(([port, terms]) => {
		// A match without terms matches everything, whatever stands beside it.
		const all = terms.some((match) => Object.keys(match).length === 0);
		const destinations = listOf(route.route).map((each, at) => {
			const path = ["spec", "http", index, "route", at, "destination", "port"];
			return forOneHop(input, fieldsOf(each), path, port, toGateway, place);
		});
		return {
			...withMirrors(input, index, without(route, "match", "route"), port, place),
			...(all ? {} : { match: terms }),
			...(destinations.length > 0 ? { route: destinations } : {}),
		};
	});
}

/** The ports of the clients whose traffic came to a port of the gateway; undefined stands for all of them. */
function clientPorts(
	listener: number | undefined,
	toGateway: boolean,
	{ hosts, step }: Place,
): readonly (number | undefined)[] {
	if (listener === undefined || toGateway) {
		return [listener];
	}
	const ports = step.demands
		.filter((demand) => hosts.includes(demand.host) && demand.traffic === "HTTP")
		.filter((demand) => (demand.listener ?? demand.port) === listener)
		.map((demand) => demand.port);
	return ports.length > 0 ? [...new Set(ports)] : [undefined];
}

/** A route whose mirrors go to the ports of the ServiceEntries behind which the gateway's lie. */
function withMirrors(
	input: InputObject,
	index: number,
	route: Fields,
	port: number | undefined,
	place: Place,
): Fields {
	const carried = (destination: Fields, path: Path): Fields | undefined => {
		const host = textOf(destination.host) ?? "";
		const target = numberOf(fieldsOf(destination.port).number);
		const number = servicePort(host, target, port, place);
		if (number === "none") {
			for (const field of ["host", "port"]) {
				noteNoPort(input, [...path, field], host, target, place);
			}
			return undefined;
		}
		return typeof number === "number" && target !== undefined
			? { ...destination, port: { number } }
			: destination;
	};
	const base = ["spec", "http", index];
	const mirror =
		route.mirror === undefined ? undefined : carried(fieldsOf(route.mirror), [...base, "mirror"]);
	const mirrors = listOf(route.mirrors)
		.map(fieldsOf)
		.flatMap((each, at) => {
			const destination = carried(fieldsOf(each.destination), [...base, "mirrors", at, "destination"]);
			return destination === undefined ? [] : [{ ...each, destination }];
		});
	return {
		...without(route, ...(mirror === undefined ? copies : ["mirror", "mirrors"])),
		...(mirror === undefined ? {} : { mirror }),
		...(mirrors.length === 0 ? {} : { mirrors }),
	};
}

function noteNoPort(
	input: InputObject,
	path: Path,
	host: string,
	target: number | undefined,
	{ step }: Place,
): void {
	const reason = `the ServiceEntry for ${host} has no port behind which ${String(target)} lies`;
	step.ledger.note(input, path, "not carried", reason);
	step.notes.push(`\`${input.namespace}/${input.name}\` sends to port ${String(target)}: ${reason}.`);
}

function forOneHop(
	input: InputObject,
	own: Fields,
	path: Path,
	port: number | undefined,
	toGateway: boolean,
	place: Place,
): Fields {
	const destination = fieldsOf(own.destination);
	const host = toGateway ? (place.hosts[0] ?? "") : (textOf(destination.host) ?? "");
	const target = toGateway ? undefined : numberOf(fieldsOf(destination.port).number);
	const number = servicePort(host, target, port, place);
	const keepsSubset = !toGateway && needsSubset(destination, place.step.bundle);
	if (number === "none") {
		noteNoPort(input, path, host, target, place);
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
	input: InputObject,
	hosts: readonly string[],
	http: readonly Fields[],
	carried: readonly CarriedRoute[],
	entry: BoundEntry,
	step: Step,
): Output {
	const { ledger, notes } = step;
	const whole = hosts.length === entry.hosts.length && hosts.every((host) => entry.hosts.includes(host));
	const rules = whole ? toHttpRouteRules(http, hosts) : undefined;
	const kind = rules === undefined ? "VirtualService" : "HTTPRoute";
	for (const { index, route } of carried) {
		for (const field of Object.keys(route).filter((each) => each !== "route")) {
			ledger.note(input, ["spec", "http", index, field], "carried", `in the ${kind} at the waypoint`);
		}
		noteMatches(input, index, route, kind, step);
		for (const [at, destination] of listOf(route.route).map(fieldsOf).entries()) {
			// The hop's own destinations have said more of themselves: as host and port of the ServiceEntry.
			const base = ["spec", "http", index, "route", at];
			ledger.note(input, base, "carried", `in the ${kind} at the waypoint`);
			for (const field of Object.keys(destination).filter((each) => each !== "destination")) {
				const path = [...base, field];
				ledger.note(input, path, "carried", `in the ${kind} at the waypoint`);
			}
			const subset = ["spec", "http", index, "route", at, "destination", "subset"];
			if (fieldsOf(destination.destination).subset !== undefined) {
				ledger.note(input, subset, "carried", `in the ${kind} at the waypoint`);
			}
		}
	}
	const name = objectName(`${input.name}-waypoint`);
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
		`\`${input.namespace}/${input.name}\` says things that an HTTPRoute of the standard channel cannot say (or for some hosts of its ServiceEntry only), so it becomes the VirtualService \`${entry.namespace}/${name}\`, whose support at waypoints is Alpha. Do not put an HTTPRoute beside it.`,
	);
	const object = {
		apiVersion: "networking.istio.io/v1",
		kind,
		metadata,
		spec: { hosts, http },
	};
	return { stage: "2-switch", object, purpose };
}

function noteMatches(input: InputObject, index: number, route: Fields, kind: string, { ledger }: Step): void {
	for (const [at, match] of listOf(route.match).map(fieldsOf).entries()) {
		for (const field of Object.keys(match)) {
			const path = ["spec", "http", index, "match", at, field];
			if (plainMatch.has(field)) {
				const outcome = field === "port" ? "carried" : "implied";
				ledger.note(
					input,
					path,
					outcome,
					field === "port" ? "as a port of the ServiceEntry" : "there is one hop now",
				);
			} else if (/^source/.test(field)) {
				ledger.note(input, path, "not carried", "a waypoint does not match on source labels or namespaces");
			} else {
				ledger.note(input, path, "carried", `in the ${kind} at the waypoint`);
			}
		}
	}
}
