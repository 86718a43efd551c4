import type { ConfigDump } from "./ads.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * What differs from gateway to waypoint and changes nothing for a request: the status where a cluster is missing
 * (istiod says it for HTTPRoutes only), and that a retry prefers another endpoint, where the host has more than one.
 */
const details: ReadonlySet<string> = new Set(["clusterNotFoundResponseCode", "retryHostPredicate"]);

/** What a proxy does with the requests or connections of one host, in Envoy's own words but without its names. */
export interface Effect {
	readonly routes: readonly Json[];
	/** RBAC filters in their order, each with its action and its policies. */
	readonly authorization: readonly Json[];
}

/** What an egress gateway does with a host on one port of its Gateway: the routes of the listener that are about it. */
export function effectAtGateway(dump: ConfigDump, host: string, port: number): Effect {
	const clusters = clustersOf(dump);
	const virtualHosts = routeConfigsOf(dump)
		.flatMap((config) => listAt(config, "virtualHosts"))
		.filter((each) => textsAt(each, "domains").includes(host) && String(each.name).endsWith(`:${port}`));
	const chains = listenersOf(dump).flatMap((listener) => listAt(listener, "filterChains"));
	const named = chains.filter((chain) =>
		textsAt(mapAt(chain, "filterChainMatch"), "serverNames").includes(host),
	);
	// Plain TCP has no name to match: the port is the host's own.
	const layer4 = named.length > 0 || virtualHosts.length > 0 ? named : plainChains(dump, port);
	const http = chains.filter((chain) => httpManager(chain) !== undefined);
	return {
		routes: [
			...virtualHosts.flatMap((each) => listAt(each, "routes").map((route) => httpRoute(route, clusters))),
			...layer4.flatMap((chain) => tcpRoute(chain, clusters)),
		],
		authorization: (virtualHosts.length > 0 ? http : layer4).slice(0, 1).flatMap(rbacOf),
	};
}

function plainChains(dump: ConfigDump, port: number): readonly Json[] {
	return listenersOf(dump)
		.filter((listener) => mapAt(mapAt(listener, "address"), "socketAddress").portValue === port)
		.flatMap((listener) => listAt(listener, "filterChains"))
		.filter((chain) => httpManager(chain) === undefined);
}

/** What a waypoint does with a port of a host. */
export function effectAtWaypoint(dump: ConfigDump, host: string, port: number): Effect {
	const clusters = clustersOf(dump);
	const chains = listenersOf(dump)
		.flatMap((listener) => listAt(listener, "filterChains"))
		.filter((chain) => new RegExp(`^inbound-vip\\|${port}\\|(?:http|tcp)\\|`).test(String(chain.name)))
		.filter((chain) => String(chain.name).endsWith(`|${host}`));
	return {
		routes: chains.flatMap((chain) => {
			const manager = httpManager(chain);
			return manager === undefined
				? tcpRoute(chain, clusters)
				: listAt(mapAt(manager, "routeConfig"), "virtualHosts").flatMap((each) =>
						listAt(each, "routes").map((route) => httpRoute(route, clusters)),
					);
		}),
		authorization: chains.flatMap(rbacOf),
	};
}

/** The names of a proxy's clusters. */
export function clusterNames(dump: ConfigDump): readonly string[] {
	return [...clustersOf(dump).keys()];
}

function clustersOf(dump: ConfigDump): ReadonlyMap<string, Json> {
	const config = dump.get("ClustersConfigDump");
	const clusters = listAt(config ?? {}, "dynamicActiveClusters").map((each) => mapAt(each, "cluster"));
	return new Map(clusters.map((cluster) => [String(cluster.name), cluster]));
}

function listenersOf(dump: ConfigDump): readonly Json[] {
	return listAt(dump.get("ListenersConfigDump") ?? {}, "dynamicListeners").map((each) =>
		mapAt(mapAt(each, "activeState"), "listener"),
	);
}

function routeConfigsOf(dump: ConfigDump): readonly Json[] {
	return listAt(dump.get("RoutesConfigDump") ?? {}, "dynamicRouteConfigs").map((each) =>
		mapAt(each, "routeConfig"),
	);
}

const manager = "envoy.filters.network.http_connection_manager";

function filterNamed(chain: Json, name: string): Json | undefined {
	const filter = listAt(chain, "filters").find((each) => each.name === name);
	return filter === undefined ? undefined : mapAt(filter, "typedConfig");
}

function httpManager(chain: Json): Json | undefined {
	return filterNamed(chain, manager);
}

/** Fields of a route that name it, or that Istio fills for its own telemetry. */
const routeNames: ReadonlySet<string> = new Set(["name", "metadata", "decorator", "statPrefix", "match"]);
const actionTargets: ReadonlySet<string> = new Set(["cluster", "weightedClusters", "requestMirrorPolicies"]);

/** A hash does nothing where no endpoint is chosen by it. */
const unhashed: ReadonlySet<string> = new Set([...actionTargets, "hashPolicy"]);

function httpRoute(route: Json, clusters: ReadonlyMap<string, Json>): Json {
	const action = mapAt(route, "route");
	const weighted = listAt(mapAt(action, "weightedClusters"), "clusters");
	const targets =
		weighted.length > 0
			? weighted.map((each) => ({
					...without(each, routeNames),
					name: undefined,
					to: upstream(String(each.name), clusters),
				}))
			: [{ to: upstream(String(action.cluster), clusters) }];
	const mirrors = listAt(action, "requestMirrorPolicies").map((each) => ({
		...each,
		cluster: upstream(String(each.cluster), clusters),
	}));
	const isHashed = targets.some(({ to }) => /^(?:RING_HASH|MAGLEV)$/.test(String(to.lbPolicy)));
	return plain({
		// What Envoy takes where nothing is said.
		match: { caseSensitive: true, ...mapAt(route, "match") },
		...without(route, new Set([...routeNames, "route"])),
		...(Object.keys(action).length === 0
			? {}
			: { action: without(action, isHashed ? actionTargets : unhashed), targets, mirrors }),
	});
}

function tcpRoute(chain: Json, clusters: ReadonlyMap<string, Json>): readonly Json[] {
	const proxy = filterNamed(chain, "envoy.filters.network.tcp_proxy");
	if (proxy === undefined) {
		return [];
	}
	const weighted = listAt(mapAt(proxy, "weightedClusters"), "clusters");
	const targets = weighted.length > 0 ? weighted : [{ name: proxy.cluster }];
	return [
		plain({
			targets: targets.map((each) => ({ weight: each.weight, to: upstream(String(each.name), clusters) })),
			idleTimeout: proxy.idleTimeout,
			maxDownstreamConnectionDuration: proxy.maxDownstreamConnectionDuration,
			tunnelingConfig: proxy.tunnelingConfig,
			hashPolicy: proxy.hashPolicy,
		}),
	];
}

/** How a cluster connects: where to, with what TLS, pools and health; not what it is called. */
function upstream(name: string, clusters: ReadonlyMap<string, Json>): Json {
	const cluster = clusters.get(name);
	if (cluster === undefined) {
		return { missing: name };
	}
	const endpoints = listAt(mapAt(cluster, "loadAssignment"), "endpoints")
		.flatMap((each) => listAt(each, "lbEndpoints"))
		.map((each) => mapAt(mapAt(mapAt(each, "endpoint"), "address"), "socketAddress"))
		.map(({ address, portValue }) => `${String(address)}:${String(portValue)}`);
	return {
		type: cluster.type,
		endpoints,
		tls: tlsOf(cluster) ?? "none",
		connectTimeout: cluster.connectTimeout,
		circuitBreakers: cluster.circuitBreakers,
		outlierDetection: cluster.outlierDetection,
		lbPolicy: cluster.lbPolicy,
		upstreamConnectionOptions: cluster.upstreamConnectionOptions,
		protocol: mapAt(cluster, "typedExtensionProtocolOptions")[
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
		],
		dnsRefreshRate: cluster.dnsRefreshRate,
	};
}

/** The TLS context of a cluster, however many transport sockets it is wrapped in. */
function tlsOf(cluster: Json): Json | undefined {
	const sockets = [
		mapAt(cluster, "transportSocket"),
		...listAt(cluster, "transportSocketMatches").map((each) => mapAt(each, "transportSocket")),
	];
	for (const socket of sockets) {
		let config = mapAt(socket, "typedConfig");
		while (Object.hasOwn(config, "transportSocket")) {
			config = mapAt(mapAt(config, "transportSocket"), "typedConfig");
		}
		if (String(config["@type"]).endsWith("UpstreamTlsContext")) {
			return config;
		}
	}
	return undefined;
}

function rbacOf(chain: Json): readonly Json[] {
	const inside = listAt(httpManager(chain) ?? {}, "httpFilters");
	return [...listAt(chain, "filters"), ...inside]
		.filter((filter) => /^envoy\.filters\.(?:http|network)\.rbac$/.test(String(filter.name)))
		.map((filter) => mapAt(mapAt(filter, "typedConfig"), "rules"))
		.map((rules) => ({
			action: rules.action ?? "ALLOW",
			// The names say namespace and name of the policy, which change.
			policies: withPeers(Object.values(mapAt(rules, "policies"))),
		}));
}

/** Leaves out what is undefined, empty, or a detail. */
function plain(value: Json): Json {
	return JSON.parse(
		JSON.stringify(value, (key, item: unknown) =>
			details.has(key) || (Array.isArray(item) && item.length === 0) ? undefined : item,
		),
	) as Json;
}

/**
 * Who calls: a gateway reads it from the certificate of the connection, a waypoint from what ztunnel's connection
 * left behind (Istio pilot/pkg/security/authz/matcher).
 */
function withPeers(value: unknown): unknown {
	if (Array.isArray(value)) {
		return value.map(withPeers);
	}
	if (typeof value !== "object" || value === null) {
		return value;
	}
	const { authenticated, filterState, ...rest } = value as Json;
	const entries = Object.entries(rest).map(([key, item]) => [key, withPeers(item)]);
	const state = filterState as Json | undefined;
	const peer =
		state?.key === "io.istio.peer_principal"
			? state.stringMatch
			: (authenticated as Json | undefined)?.principalName;
	return {
		...Object.fromEntries(entries),
		...(peer === undefined ? {} : { peer }),
		...(peer === undefined && state !== undefined ? { filterState: state } : {}),
		...(peer === undefined && authenticated !== undefined ? { authenticated } : {}),
	};
}

function mapAt(value: Json, name: string): Json {
	const item = value[name];
	return typeof item === "object" && item !== null ? (item as Json) : {};
}

function listAt(value: Json, name: string): readonly Json[] {
	const item = value[name];
	return Array.isArray(item) ? (item as readonly Json[]) : [];
}

function textsAt(value: Json, name: string): readonly string[] {
	const item = value[name];
	return Array.isArray(item) ? item.filter((each) => typeof each === "string") : [];
}

function without(value: Json, names: ReadonlySet<string>): Json {
	return Object.fromEntries(Object.entries(value).filter(([name]) => !names.has(name)));
}
