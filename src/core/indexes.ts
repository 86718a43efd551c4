import { bucketsOfRange, parseAddressRange } from "./address-range.ts";
import { canonicalHost, domainOf } from "./host-pattern.ts";
import type { GatewayRoute, Kind, ObjectReference, Resources, VirtualService } from "./kinds.ts";
import { useWaypointLabel, useWaypointNamespaceLabel } from "./policy.ts";
import { gatewayOfReference, serviceOfHost } from "./service-names.ts";

/** Look-ups by something else than namespace and name: which kind they find, and under which keys an object stands. */
export interface Index<K extends Kind> {
	readonly kind: K;
	readonly keys: (object: Resources[K]) => Iterable<string>;
}

function index<K extends Kind>(kind: K, keys: (object: Resources[K]) => Iterable<string>): Index<K> {
	return { kind, keys };
}

/** Every index by its name. */
export const indexes: {
	readonly serviceEntryByHost: Index<"ServiceEntry">;
	readonly serviceEntryByName: Index<"ServiceEntry">;
	readonly serviceEntryByWaypoint: Index<"ServiceEntry">;
	readonly namespaceByWaypoint: Index<"Namespace">;
	readonly serviceEntryByAddressBucket: Index<"ServiceEntry">;
	readonly serviceEntryByEndpoint: Index<"ServiceEntry">;
	readonly workloadEntryByAddress: Index<"WorkloadEntry">;
	readonly serviceEntryByDomain: Index<"ServiceEntry">;
	readonly serviceByAddress: Index<"Service">;
	readonly serviceByName: Index<"Service">;
	readonly serviceByExternalName: Index<"Service">;
	readonly serviceEntryByService: Index<"ServiceEntry">;
	readonly destinationRuleByHost: Index<"DestinationRule">;
	readonly backendTlsPolicyByTarget: Index<"BackendTLSPolicy">;
	readonly authorizationPolicyByTarget: Index<"AuthorizationPolicy">;
	readonly requestAuthenticationByTarget: Index<"RequestAuthentication">;
	readonly kubernetesGatewayByName: Index<"KubernetesGateway">;
	readonly virtualServiceByHost: Index<"VirtualService">;
	readonly virtualServiceByGateway: Index<"VirtualService">;
	readonly virtualServiceByService: Index<"VirtualService">;
	readonly virtualServiceByDelegate: Index<"VirtualService">;
	readonly httpRouteByService: Index<"HTTPRoute">;
	readonly grpcRouteByService: Index<"GRPCRoute">;
	readonly tlsRouteByService: Index<"TLSRoute">;
	readonly tcpRouteByService: Index<"TCPRoute">;
} = {
	/** ServiceEntries of all namespaces by a host of theirs in canonical form. */
	serviceEntryByHost: index("ServiceEntry", (entry) => new Set((entry.spec?.hosts ?? []).map(canonicalHost))),
	/** ServiceEntries of all namespaces by their bare name. */
	serviceEntryByName: index("ServiceEntry", ({ metadata }) => [metadata?.name ?? ""]),
	/** ServiceEntries of all namespaces by the waypoint that their own labels name, as NAMESPACE/NAME. */
	serviceEntryByWaypoint: index("ServiceEntry", ({ metadata }) =>
		waypointNamed(metadata?.labels, metadata?.namespace ?? ""),
	),
	/** Namespaces by the waypoint that their labels name, as NAMESPACE/NAME. */
	namespaceByWaypoint: index("Namespace", ({ metadata }) =>
		waypointNamed(metadata?.labels, metadata?.name ?? ""),
	),
	/** ServiceEntries of all namespaces by `bucketsOfRange` of each address that they list. */
	serviceEntryByAddressBucket: index("ServiceEntry", ({ spec }) => bucketsOf(spec?.addresses ?? [])),
	/** ServiceEntries of all namespaces by `bucketsOfRange` of an endpoint that is an IP address. */
	serviceEntryByEndpoint: index("ServiceEntry", ({ spec }) =>
		bucketsOf((spec?.endpoints ?? []).map(({ address }) => address)),
	),
	/** WorkloadEntries of all namespaces by `bucketsOfRange` of their IP address. */
	workloadEntryByAddress: index("WorkloadEntry", ({ spec }) => bucketsOf([spec?.address])),
	/** ServiceEntries of all namespaces by the last two labels of a host of theirs in canonical form. */
	serviceEntryByDomain: index(
		"ServiceEntry",
		(entry) => new Set((entry.spec?.hosts ?? []).map((host) => domainOf(canonicalHost(host)))),
	),
	/** Services of all namespaces by a cluster IP of theirs; a headless one has none ("None"). */
	serviceByAddress: index(
		"Service",
		(service) =>
			new Set(
				[service.spec?.clusterIP ?? "", ...(service.spec?.clusterIPs ?? [])].filter(
					(address) => address !== "" && address !== "None",
				),
			),
	),
	/** Services of all namespaces by their bare name. */
	serviceByName: index("Service", (service) => [service.metadata?.name ?? ""]),
	/** ExternalName Services of all namespaces by the Service of which they are an alias, as NAMESPACE/NAME. */
	serviceByExternalName: index("Service", ({ metadata, spec }) =>
		spec?.type === "ExternalName" ? servicesNamed([spec.externalName], metadata?.namespace ?? "") : [],
	),
	/** ServiceEntries of all namespaces by a Service that a host or an endpoint of theirs names, as NAMESPACE/NAME. */
	serviceEntryByService: index("ServiceEntry", ({ metadata, spec }) =>
		servicesNamed(
			[...(spec?.hosts ?? []), ...(spec?.endpoints ?? []).map(({ address }) => address)],
			metadata?.namespace ?? "",
		),
	),
	/** DestinationRules of all namespaces by their host as written, in canonical form. */
	destinationRuleByHost: index("DestinationRule", (rule) => [canonicalHost(rule.spec?.host ?? "")]),
	/** BackendTLSPolicies by what they target: `NAMESPACE/GROUP/KIND/NAME`. */
	backendTlsPolicyByTarget: index(
		"BackendTLSPolicy",
		(policy) =>
			new Set(
				(policy.spec?.targetRefs ?? []).map(
					({ group, kind, name }) =>
						`${policy.metadata?.namespace ?? ""}/${group ?? ""}/${kind ?? ""}/${name ?? ""}`,
				),
			),
	),
	/** AuthorizationPolicies by what they target, and those of ServiceEntries by more: see `targetKeys`. */
	authorizationPolicyByTarget: index("AuthorizationPolicy", targetKeys),
	/** RequestAuthentications by what they target, and those of ServiceEntries by more: see `targetKeys`. */
	requestAuthenticationByTarget: index("RequestAuthentication", targetKeys),
	/** Gateways of the Gateway API in all namespaces by their bare name. */
	kubernetesGatewayByName: index("KubernetesGateway", ({ metadata }) => [metadata?.name ?? ""]),
	/** VirtualServices of all namespaces by a host of theirs in canonical form. */
	virtualServiceByHost: index(
		"VirtualService",
		(rule) => new Set((rule.spec?.hosts ?? []).map(canonicalHost)),
	),
	/** VirtualServices of all namespaces by a gateway that they name anywhere, as NAMESPACE/NAME or `mesh`. */
	virtualServiceByGateway: index("VirtualService", gatewaysNamed),
	/** VirtualServices of all namespaces by a Service that they route to or copy requests to, as NAMESPACE/NAME. */
	virtualServiceByService: index("VirtualService", servicesRouted),
	/** VirtualServices of all namespaces by one to which they delegate, as NAMESPACE/NAME. */
	virtualServiceByDelegate: index("VirtualService", delegatesNamed),
	/** HTTPRoutes of all namespaces by a Service that a backend means, by reference or by host, as NAMESPACE/NAME. */
	httpRouteByService: index("HTTPRoute", servicesOfBackends),
	/** The same of GRPCRoutes. */
	grpcRouteByService: index("GRPCRoute", servicesOfBackends),
	/** The same of TLSRoutes. */
	tlsRouteByService: index("TLSRoute", servicesOfBackends),
	/** The same of TCPRoutes. */
	tcpRouteByService: index("TCPRoute", servicesOfBackends),
};

/** The indexes of each kind, with their names. */
export const indexesOf: ReadonlyMap<Kind, readonly (readonly [string, Index<Kind>])[]> = Map.groupBy(
	Object.entries(indexes) as unknown as readonly (readonly [string, Index<Kind>])[],
	([, { kind }]) => kind,
);

function waypointNamed(
	labels: Readonly<Record<string, string>> | null | undefined,
	namespace: string,
): readonly string[] {
	const name = labels?.[useWaypointLabel];
	return name === undefined || name === "none"
		? []
		: [`${labels?.[useWaypointNamespaceLabel] ?? namespace}/${name}`];
}

/** What may target something: the old single reference counts where the list is empty. */
export interface Targeting {
	readonly spec?:
		| {
				readonly targetRef?: ObjectReference | null | undefined;
				readonly targetRefs?: readonly ObjectReference[] | null | undefined;
		  }
		| null
		| undefined;
}

/** The targets of a policy; the old single one counts where the list is empty (Istio policyattachment.go: GetTargetRefs). */
export function targetRefsOf({ spec }: Targeting): readonly ObjectReference[] {
	const { targetRef, targetRefs } = spec ?? {};
	if ((targetRefs ?? []).length > 0) {
		return targetRefs ?? [];
	}
	return targetRef === undefined || targetRef === null ? [] : [targetRef];
}

/** The key under which what targets any ServiceEntry stands; with `NAMESPACE/` before it, what targets one of that namespace. */
export const anyEntryKey = "networking.istio.io/ServiceEntry";

/** `NAMESPACE/GROUP/KIND/NAME` of each target; where one is a ServiceEntry, `anyEntryKey` with and without the namespace. */
function targetKeys(policy: Targeting & Resources[Kind]): ReadonlySet<string> {
	const keys = new Set<string>();
	const own = policy.metadata?.namespace ?? "";
	for (const { group, kind, name } of targetRefsOf(policy)) {
		const what = `${group ?? ""}/${kind ?? ""}`;
		keys.add(`${own}/${what}/${name ?? ""}`);
		if (what === anyEntryKey) {
			keys.add(what).add(`${own}/${what}`);
		}
	}
	return keys;
}

function bucketsOf(addresses: readonly (string | null | undefined)[]): ReadonlySet<string> {
	const buckets = new Set<string>();
	for (const address of addresses) {
		const range = parseAddressRange(address ?? "");
		if (range !== undefined) {
			for (const bucket of bucketsOfRange(range)) {
				buckets.add(bucket);
			}
		}
	}
	return buckets;
}

function servicesNamed(
	names: readonly (string | null | undefined)[],
	namespace: string,
): ReadonlySet<string> {
	const keys = new Set<string>();
	for (const name of names) {
		// Plain hosts outside the cluster are by far the most, and none of them is below svc.
		const service = name?.includes(".svc") === true ? serviceOfHost(below(name), namespace) : undefined;
		if (service !== undefined) {
			keys.add(`${service.namespace}/${service.name}`);
		}
	}
	return keys;
}

/** The Service's own name, where a host is below it: that of a pod of a headless Service. */
function below(name: string): string {
	const labels = canonicalHost(name).split(".");
	return labels.slice(Math.max(0, labels.indexOf("svc") - 2)).join(".");
}

function gatewaysNamed(rule: VirtualService): ReadonlySet<string> {
	const { gateways, http, tls, tcp } = rule.spec ?? {};
	const matches = [...(http ?? []), ...(tls ?? []), ...(tcp ?? [])].flatMap((route) => route.match ?? []);
	const names = [...(gateways ?? []), ...matches.flatMap((match) => match.gateways ?? [])];
	return new Set(names.map((name) => gatewayOfReference(name, rule.metadata?.namespace ?? "")));
}

function delegatesNamed({ metadata, spec }: VirtualService): ReadonlySet<string> {
	return new Set(
		(spec?.http ?? []).flatMap(({ delegate }) =>
			delegate?.name ? [`${delegate.namespace ?? metadata?.namespace ?? ""}/${delegate.name}`] : [],
		),
	);
}

function servicesRouted(rule: VirtualService): ReadonlySet<string> {
	const { http, tls, tcp } = rule.spec ?? {};
	const keys = new Set<string>();
	const copies = (http ?? []).flatMap(({ mirror, mirrors }) => [
		mirror,
		...(mirrors ?? []).map(({ destination }) => destination),
	]);
	const routed = [...(http ?? []), ...(tls ?? []), ...(tcp ?? [])].flatMap(({ route }) =>
		(route ?? []).map(({ destination }) => destination),
	);
	for (const destination of [...routed, ...copies]) {
		const service = serviceOfHost(destination?.host ?? "", rule.metadata?.namespace ?? "");
		if (service !== undefined) {
			keys.add(`${service.namespace}/${service.name}`);
		}
	}
	return keys;
}

function servicesOfBackends({ metadata, spec }: GatewayRoute): ReadonlySet<string> {
	const home = metadata?.namespace ?? "";
	const keys = new Set<string>();
	for (const { backendRefs, filters } of spec?.rules ?? []) {
		const copies = (filters ?? []).map(({ requestMirror }) => requestMirror?.backendRef);
		for (const backend of [...(backendRefs ?? []), ...copies]) {
			const { kind, namespace, name } = backend ?? {};
			if (kind === "Hostname") {
				for (const key of servicesNamed([name], home)) {
					keys.add(key);
				}
			} else if (name) {
				keys.add(`${namespace ?? home}/${name}`);
			}
		}
	}
	return keys;
}

/** The names of the indexes. */
export type IndexName = keyof typeof indexes;
/** The kind that an index finds. */
export type Indexed<I extends IndexName> = (typeof indexes)[I]["kind"];

/** The kind that an index finds. */
export function kindOfIndex(name: IndexName): Kind {
	return indexes[name].kind;
}
