import type { Path } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { GatewayRoute, Kind, ObjectReference, VirtualService } from "../../core/kinds.ts";
import { meshGateway } from "../../core/service-names.ts";
import { isSameWaypoint } from "../waypoint/binding.ts";
import { isWaypoint } from "../waypoint/waypoint.ts";
import { backendsOf, isGateway, isHostReference, isListenerSet, isServiceReference } from "./gateway-api.ts";
import { destinationsOf } from "./virtual-services.ts";

/** A name to which a route leads requests: a destination, a mirror, a backend, or an authority that it writes. */
export interface RouteTarget {
	readonly path: Path;
	readonly host: string;
	readonly port: number | undefined;
	/** An authority is only written into requests or answers; whoever connects next goes there. */
	readonly isAuthority: boolean;
	/** Whether clients of the mesh take the route: a waypoint reads it. */
	readonly fromMesh: boolean;
	/** The Gateways, as people write them, whose pods take the route and are no waypoint. */
	readonly gateways: readonly string[];
	/** Whether a host without a dot is that very host, and not a Service of the route's namespace. */
	readonly isExact: boolean;
	/** The Service that is referred to; undefined where only a host is named. */
	readonly service: { readonly namespace: string; readonly name: string } | undefined;
}

/** The kinds that reading the targets of a route may ask for. */
export const routeTargetReads: readonly Kind[] = ["VirtualService", "KubernetesGateway", "GatewayClass"];

/** Every target of a VirtualService, those of its delegates among them. */
export function* virtualServiceTargets(
	route: VirtualService,
	namespace: string,
	inventory: Inventory,
): Generator<RouteTarget> {
	for (const { path, host, port, gateways } of destinationsOf(route, namespace, inventory)) {
		const others = [...gateways].filter((gateway) => gateway !== meshGateway);
		// A delegate names no gateway: its root does, and is judged with what it delegates to.
		const fromMesh = gateways.has(meshGateway) || gateways.size === 0;
		yield {
			path,
			host,
			port,
			isAuthority: false,
			isExact: false,
			fromMesh,
			gateways: others,
			service: undefined,
		};
	}
	const ofMesh = (route.spec?.gateways ?? [meshGateway]).includes(meshGateway);
	for (const [index, http] of (route.spec?.http ?? []).entries()) {
		const named = (http.match ?? []).flatMap((each) => each.gateways ?? []);
		const fromMesh = named.length > 0 ? named.includes(meshGateway) : ofMesh;
		const base: Path = ["spec", "http", index];
		for (const written of httpAuthorities(http, base)) {
			yield { ...written, fromMesh, gateways: [] };
		}
		const { delegate } = http;
		const child = delegate?.name
			? inventory.get("VirtualService", delegate.namespace ?? namespace, delegate.name)
			: undefined;
		for (const each of child?.spec?.http ?? []) {
			for (const written of httpAuthorities(each, [])) {
				yield { ...written, path: [...base, "delegate", "name"], fromMesh, gateways: [] };
			}
		}
	}
}

type HttpRoute = NonNullable<NonNullable<VirtualService["spec"]>["http"]>[number];
type WrittenAuthority = Omit<RouteTarget, "fromMesh" | "gateways">;

/** Every authority that a route of a VirtualService writes into requests or answers. */
function* httpAuthorities(http: HttpRoute, base: Path): Generator<WrittenAuthority> {
	const { redirect, rewrite, headers, route: destinations } = http;
	for (const [field, authority] of [
		["redirect", redirect?.authority],
		["rewrite", rewrite?.authority],
	] as const) {
		if (authority) {
			yield { path: [...base, field, "authority"], ...authorityOf(authority) };
		}
	}
	yield* headerAuthorities(headers, [...base, "headers"]);
	for (const [at, each] of (destinations ?? []).entries()) {
		yield* headerAuthorities(each.headers, [...base, "route", at, "headers"]);
	}
}

/** Whether Istio takes a header for the authority of a request (pilot/pkg/networking/core/route: isAuthorityHeader). */
function isAuthorityHeader(name: string): boolean {
	return [":authority", "host"].includes(name.toLowerCase());
}

/** The authorities that a VirtualService writes as a header of requests. */
function headerAuthorities(headers: HttpRoute["headers"], base: Path): readonly WrittenAuthority[] {
	const { set, add } = headers?.request ?? {};
	return Object.entries({ set, add }).flatMap(([field, written]) =>
		Object.entries(written ?? {})
			.filter(([name, value]) => isAuthorityHeader(name) && value !== "")
			.map(([name, value]) => ({ path: [...base, "request", field, name], ...authorityOf(value) })),
	);
}

type RouteRule = NonNullable<NonNullable<GatewayRoute["spec"]>["rules"]>[number];
type RouteFilter = Pick<NonNullable<RouteRule["filters"]>[number], "requestHeaderModifier">;

/** The authorities that a filter of a route writes as a header of requests. */
function modifiedAuthorities(filter: RouteFilter, base: Path): readonly WrittenAuthority[] {
	const { set, add } = filter.requestHeaderModifier ?? {};
	return Object.entries({ set, add }).flatMap(([field, written]) =>
		(written ?? []).flatMap(({ name, value }, at) =>
			value && isAuthorityHeader(name ?? "")
				? [
						{
							path: [...base, "requestHeaderModifier", field, at, "value"],
							...authorityOf(value),
						},
					]
				: [],
		),
	);
}

/** Every target of a route of the Gateway API. */
export function* gatewayRouteTargets(
	route: GatewayRoute,
	namespace: string,
	inventory: Inventory,
): Generator<RouteTarget> {
	const parents = route.spec?.parentRefs ?? [];
	const gateways = parents
		.filter((parent) => isListenerSet(parent) || isOrdinaryGateway(parent, namespace, inventory))
		.map(({ name }) => name ?? "");
	const fromMesh = gateways.length < parents.length;
	for (const { path, backend } of backendsOf(route)) {
		const { name, port } = backend;
		const service = isServiceReference(backend)
			? { namespace: backend.namespace ?? namespace, name: name ?? "" }
			: undefined;
		if (name && (service !== undefined || isHostReference(backend))) {
			yield {
				path: [...path, "name"],
				host: name,
				port: port ?? undefined,
				isAuthority: false,
				isExact: service === undefined,
				fromMesh,
				gateways,
				service,
			};
		}
	}
	for (const [index, rule] of (route.spec?.rules ?? []).entries()) {
		const { filters } = rule;
		for (const written of writtenAuthorities(rule, ["spec", "rules", index])) {
			yield { ...written, fromMesh, gateways: [] };
		}
		for (const [at, { requestRedirect, urlRewrite }] of (filters ?? []).entries()) {
			for (const [field, hostname] of [
				["requestRedirect", requestRedirect?.hostname],
				["urlRewrite", urlRewrite?.hostname],
			] as const) {
				if (hostname) {
					const path = ["spec", "rules", index, "filters", at, field, "hostname"];
					yield { path, ...authorityOf(hostname), fromMesh, gateways: [] };
				}
			}
		}
	}
}

/** The authorities that the filters of a rule and of its backends write as a header of requests. */
function writtenAuthorities({ filters, backendRefs }: RouteRule, base: Path): readonly WrittenAuthority[] {
	return [
		...(filters ?? []).flatMap((filter, at) => modifiedAuthorities(filter, [...base, "filters", at])),
		...(backendRefs ?? []).flatMap(({ filters: own }, at) =>
			(own ?? []).flatMap((filter, place) =>
				modifiedAuthorities(filter, [...base, "backendRefs", at, "filters", place]),
			),
		),
	];
}

function authorityOf(
	text: string,
): Pick<RouteTarget, "host" | "port" | "isAuthority" | "isExact" | "service"> {
	const [, host = text, port] = /^([^:]+):(\d+)$/.exec(text) ?? [];
	return {
		host,
		port: port === undefined ? undefined : Number(port),
		isAuthority: true,
		isExact: true,
		service: undefined,
	};
}

function isOrdinaryGateway(parent: ObjectReference, namespace: string, inventory: Inventory): boolean {
	if (!isGateway(parent)) {
		return false;
	}
	const reference = { namespace: parent.namespace ?? namespace, name: parent.name ?? "" };
	const { waypoint } = inventory.policy(namespace);
	if (waypoint !== undefined && waypoint !== "none" && isSameWaypoint(waypoint, reference)) {
		return false;
	}
	const gateway = inventory.get("KubernetesGateway", reference.namespace, reference.name);
	return gateway === undefined || isWaypoint(gateway, inventory) !== true;
}
