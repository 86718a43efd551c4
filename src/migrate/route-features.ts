import type { Path } from "../core/finding.ts";
import { canonicalHost } from "../core/host-pattern.ts";
import { isExternalName } from "../istio/egress/services.ts";
import type { BoundEntry } from "./bound-entry.ts";
import type { Bundle, Participant } from "./bundles.ts";
import { carryConnections } from "./connection-routes.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, numberOf, objectName, textOf, textsOf, without } from "./fields.ts";
import { toHttpRouteRules } from "./http-route.ts";
import type { InputObject, Output } from "./input-object.ts";
import type { Place } from "./service-ports.ts";
import { httpPorts, servicePort } from "./service-ports.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";
import { needsSubset, noteSubsets } from "./subsets.ts";

const plainRoute: ReadonlySet<string> = new Set(["match", "route", "name"]);
const plainMatch: ReadonlySet<string> = new Set(["gateways", "port", "name"]);

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

function carryHttp(participant: Participant, step: Step, entries: readonly BoundEntry[]): readonly Output[] {
	const { input, hops } = participant;
	const { ledger } = step;
	const routes = listOf(fieldsOf(input.object.spec).http).map(fieldsOf);
	const indexes = (destinations: readonly { readonly path: readonly (string | number)[] }[] | undefined) =>
		new Set(
			(destinations ?? [])
				.filter((destination) => destination.path[1] === "http")
				.map((destination) => Number(destination.path[2])),
		);
	const toGateway = indexes(hops?.toGateway);
	const toHost = indexes(hops?.toHost);
	const chosen = toHost.size > 0 ? toHost : toGateway;
	const carried: CarriedRoute[] = routes.flatMap((route, index) =>
		chosen.has(index) || answersItself(route) ? [{ index, route, toGateway: chosen === toGateway }] : [],
	);
	const extra =
		chosen === toHost
			? routes.flatMap((route, index) => (toGateway.has(index) ? [{ index, route }] : []))
			: [];
	const only = extra.length === 1 ? extra[0] : undefined;
	const overlaid = carried.map((each) => ({ ...each, route: overlay(each.route, only?.route) }));
	noteOverlay(input, carried, extra, step);
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
	input: InputObject,
	carried: readonly CarriedRoute[],
	extra: readonly { readonly index: number; readonly route: Fields }[],
	{ ledger }: Step,
): void {
	for (const { index, route } of extra) {
		for (const field of Object.keys(route).filter((each) => !plainRoute.has(each))) {
			const taken = carried.some((each) => Object.hasOwn(each.route, field));
			const outcome = taken || extra.length > 1 ? "not carried" : "carried";
			const note = taken
				? "the gateway's own hop says it too, and that one is carried"
				: extra.length > 1
					? "several hops from the sidecars differ, and one hop is left"
					: "in the route at the waypoint";
			ledger.note(input, ["spec", "http", index, field], outcome, note);
		}
		ledger.note(input, ["spec", "http", index, "name"], "implied", "the name of a route that goes");
		for (const [at, match] of listOf(route.match).map(fieldsOf).entries()) {
			for (const field of Object.keys(match).filter((each) => !plainMatch.has(each))) {
				const path = ["spec", "http", index, "match", at, field];
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
		const rest = without(match, "gateways", "port", "sniHosts");
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
			...without(route, "match", "route"),
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
		const reason = `the ServiceEntry for ${host} has no port behind which ${String(target)} lies`;
		place.step.ledger.note(input, path, "not carried", reason);
		place.step.notes.push(`\`${input.namespace}/${input.name}\` sends to port ${String(target)}: ${reason}.`);
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
