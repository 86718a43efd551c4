import type { Path } from "../core/finding.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import { isExternalName } from "../istio/egress/services.ts";
import type { Hops } from "../istio/egress/virtual-services.ts";
import type { BoundEntry } from "./bound-entry.ts";
import { carryConnections } from "./connection-routes.ts";
import type { PlacedRoute } from "./delegates.ts";
import { delegatedRoutes, delegateOf } from "./delegates.ts";
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

/** A route of the old gateway as the waypoint would have it, and where it stood. */
interface CarriedRoute extends PlacedRoute {
	readonly toGateway: boolean;
}

/** Retries, timeouts, header changes, matches, splits and mirrors, as routes of the host at its waypoint. */
export function carriedRoutes(
	conversion: Conversion,
	entries: readonly BoundEntry[],
	inputs: readonly InputObject[],
): StepResult {
	const step = beginStep(conversion);
	const outputs: Output[] = [];
	for (const participant of step.bundle.participants) {
		if (participant.hops !== undefined) {
			outputs.push(...carryHttp(participant, step, entries, inputs));
			outputs.push(...carryConnections(participant, step, entries));
		}
	}
	noteSubsets(step);
	return endStep(step, outputs);
}

/** The HTTP routes of one of the two hops of a VirtualService. */
function routesOfHop({ input, hops }: Participant, hop: keyof Hops): readonly PlacedRoute[] {
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

function carryHttp(
	participant: Participant,
	step: Step,
	entries: readonly BoundEntry[],
	inputs: readonly InputObject[],
): readonly Output[] {
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
	const own = routes.flatMap((route, index): readonly PlacedRoute[] =>
		chosen.some((each) => each.index === index) || answersItself(route) ? [{ input, index, route }] : [],
	);
	const carried = own
		.flatMap((each) => withDelegate(each, step, inputs))
		.filter((each) => chosen === toGateway || isSeen(each, hostsOf(participant), step))
		.map((each): CarriedRoute => ({ ...each, toGateway: chosen === toGateway }));
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
		const reason =
			hosts.length === 0
				? "it is for every host, and a route at the waypoint is for those of a ServiceEntry: write it for each host by hand"
				: "no ServiceEntry for its hosts could be written";
		for (const each of carried) {
			ledger.note(each.input, ["spec", "http", each.index], "not carried", reason);
		}
		return [];
	}
	const place: Place = { hosts, entry, entries, step };
	const http = overlaid.flatMap((each) => forWaypoint(each, place));
	return [routeOutput(input, hosts, http, carried, entry, step)];
}

/** A route, or those of its delegate in its place: at the waypoint they are one VirtualService. */
function withDelegate(
	root: PlacedRoute,
	{ ledger, notes }: Step,
	inputs: readonly InputObject[],
): readonly PlacedRoute[] {
	const delegate = delegateOf(root);
	if (delegate === undefined) {
		return [root];
	}
	const { input, index, route } = root;
	const path = ["spec", "http", index];
	const merged = delegatedRoutes(root, inputs);
	if (merged === undefined) {
		const reason = `its delegate ${delegate} matches by the same fields: write the routes at the waypoint by hand`;
		ledger.note(input, path, "not carried", reason);
		notes.push(`\`${input.namespace}/${input.name}\`: http[${index}] was not carried: ${reason}.`);
		return [];
	}
	const note = `with the routes of ${delegate}, at the waypoint`;
	for (const field of Object.keys(route)) {
		ledger.note(input, [...path, field], "carried", note);
	}
	for (const [at, match] of listOf(route.match).map(fieldsOf).entries()) {
		for (const field of Object.keys(match)) {
			const outcome = /^source/.test(field) ? "not carried" : "carried";
			ledger.note(input, [...path, "match", at, field], outcome, outcome === "carried" ? note : bySource);
		}
	}
	for (const part of new Set(merged.map((each) => each.input))) {
		for (const field of ["apiVersion", "kind", "metadata", "spec", "status"]) {
			ledger.note(
				part,
				[field],
				"implied",
				"its routes are those of the VirtualService that delegates to it",
			);
		}
	}
	notes.push(
		`VirtualService \`${delegate}\` is a delegate of \`${input.namespace}/${input.name}\`: its routes are written into the route at the waypoint. It stays as it is: delete it when nothing else delegates to it.`,
	);
	return merged;
}

const bySource = "a waypoint does not match on source labels or namespaces";

/**
 * Whether the waypoint sees the requests of a route: it does not where the gateway ended the TLS of the applications,
 * which passes through a waypoint.
 */
function isSeen({ input, index, route }: PlacedRoute, hosts: readonly string[], step: Step): boolean {
	const listeners = listOf(route.match).flatMap((match) => numberOf(fieldsOf(match).port) ?? []);
	const traffic = step.demands
		.filter(({ host }) => hosts.includes(host))
		.filter(({ listener, port }) => listeners.includes(listener ?? port))
		.map((demand) => demand.traffic);
	if (traffic.length === 0 || traffic.some((each) => each === "HTTP")) {
		return true;
	}
	const reason =
		"the gateway ended the TLS that applications begin, which passes through a waypoint: it sees no requests";
	step.ledger.note(input, ["spec", "http", index], "not carried", reason);
	step.notes.push(`\`${input.namespace}/${input.name}\`: http[${index}] was not carried: ${reason}.`);
	return false;
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
	extra: readonly PlacedRoute[],
): string | undefined {
	if (copies.includes(field) || (rewrites.includes(field) && !carried.every((each) => isPlain(each.route)))) {
		return "it came before the gateway chose a route, and one hop is left: put it into the route at the waypoint by hand";
	}
	if (carried.some((each) => Object.hasOwn(each.route, field))) {
		return "the gateway's own hop says it too, and that one is carried";
	}
	return extra.length > 1 ? "several hops from the sidecars differ, and one hop is left" : undefined;
}

function noteOverlay(
	carried: readonly CarriedRoute[],
	extra: readonly PlacedRoute[],
	{ ledger }: Step,
): void {
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
function forWaypoint({ input, index, route, toGateway }: CarriedRoute, place: Place): readonly Fields[] {
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
	const { notes } = step;
	const whole = hosts.length === entry.hosts.length && hosts.every((host) => entry.hosts.includes(host));
	const rules = whole ? toHttpRouteRules(http, hosts) : undefined;
	const kind = rules === undefined ? "VirtualService" : "HTTPRoute";
	for (const each of carried) {
		noteCarried(each, kind, step);
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

function noteCarried(carried: CarriedRoute, kind: string, step: Step): void {
	const { input, index, route } = carried;
	const { ledger } = step;
	const note = `in the ${kind} at the waypoint`;
	for (const field of Object.keys(route).filter((each) => each !== "route")) {
		ledger.note(input, ["spec", "http", index, field], "carried", note);
	}
	noteMatches(carried, kind, step);
	for (const [at, destination] of listOf(route.route).map(fieldsOf).entries()) {
		// The hop's own destinations have said more of themselves: as host and port of the ServiceEntry.
		const base = ["spec", "http", index, "route", at];
		ledger.note(input, base, "carried", note);
		for (const field of Object.keys(destination).filter((each) => each !== "destination")) {
			ledger.note(input, [...base, field], "carried", note);
		}
		if (fieldsOf(destination.destination).subset !== undefined) {
			ledger.note(input, [...base, "destination", "subset"], "carried", note);
		}
	}
}

function noteMatches({ input, index, route }: CarriedRoute, kind: string, { ledger }: Step): void {
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
				ledger.note(input, path, "not carried", bySource);
			} else {
				ledger.note(input, path, "carried", `in the ${kind} at the waypoint`);
			}
		}
	}
}
