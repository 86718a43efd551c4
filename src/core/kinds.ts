/** Our key for a kind. The two Gateways share a name in Kubernetes, so the key is ours; versions are ignored on purpose. */
export type Kind = keyof Resources;

/** The object types by kind. */
export interface Resources {
	readonly ServiceEntry: ServiceEntry;
	readonly WorkloadEntry: WorkloadEntry;
	readonly IstioGateway: IstioGateway;
	readonly VirtualService: VirtualService;
	readonly DestinationRule: DestinationRule;
	readonly Sidecar: Sidecar;
	readonly KubernetesGateway: KubernetesGateway;
	readonly GatewayClass: GatewayClass;
	readonly HTTPRoute: GatewayRoute;
	readonly GRPCRoute: GatewayRoute;
	readonly TLSRoute: GatewayRoute;
	readonly TCPRoute: GatewayRoute;
	readonly ASMEgressTrafficPolicy: AsmEgressTrafficPolicy;
	readonly Namespace: Namespace;
	readonly Service: Service;
	readonly BackendTLSPolicy: BackendTlsPolicy;
}

/** How the API server names a kind. */
export interface KindInfo {
	readonly group: string;
	readonly kind: string;
	readonly plural: string;
	/** Served versions that Waymark can read, the preferred one first. */
	readonly versions: readonly string[];
	readonly namespaced: boolean;
}

const istio = "networking.istio.io";
const gatewayApi = "gateway.networking.k8s.io";
const istioVersions = ["v1", "v1beta1", "v1alpha3"];

/** Every kind that Waymark judges or reads. */
export const kinds: { readonly [K in Kind]: KindInfo } = {
	ServiceEntry: namespaced(istio, "ServiceEntry", "serviceentries", istioVersions),
	WorkloadEntry: namespaced(istio, "WorkloadEntry", "workloadentries", istioVersions),
	IstioGateway: namespaced(istio, "Gateway", "gateways", istioVersions),
	VirtualService: namespaced(istio, "VirtualService", "virtualservices", istioVersions),
	DestinationRule: namespaced(istio, "DestinationRule", "destinationrules", istioVersions),
	Sidecar: namespaced(istio, "Sidecar", "sidecars", istioVersions),
	KubernetesGateway: namespaced(gatewayApi, "Gateway", "gateways", ["v1", "v1beta1"]),
	GatewayClass: {
		...namespaced(gatewayApi, "GatewayClass", "gatewayclasses", ["v1", "v1beta1"]),
		namespaced: false,
	},
	HTTPRoute: namespaced(gatewayApi, "HTTPRoute", "httproutes", ["v1", "v1beta1"]),
	GRPCRoute: namespaced(gatewayApi, "GRPCRoute", "grpcroutes", ["v1", "v1alpha2"]),
	TLSRoute: namespaced(gatewayApi, "TLSRoute", "tlsroutes", ["v1", "v1alpha3", "v1alpha2"]),
	TCPRoute: namespaced(gatewayApi, "TCPRoute", "tcproutes", ["v1", "v1alpha2"]),
	ASMEgressTrafficPolicy: namespaced(
		"istio.alibabacloud.com",
		"ASMEgressTrafficPolicy",
		"asmegresstrafficpolicies",
		["v1beta1", "v1"],
	),
	Namespace: { ...namespaced("", "Namespace", "namespaces", ["v1"]), namespaced: false },
	Service: namespaced("", "Service", "services", ["v1"]),
	BackendTLSPolicy: namespaced(gatewayApi, "BackendTLSPolicy", "backendtlspolicies", ["v1", "v1alpha3"]),
};

function namespaced(group: string, kind: string, plural: string, versions: readonly string[]): KindInfo {
	return { group, kind, plural, versions, namespaced: true };
}

/** All kind keys, in the order of the table. */
export const allKinds: readonly Kind[] = Object.keys(kinds) as Kind[];

const byGroupKind: ReadonlyMap<string, Kind> = new Map(
	allKinds.map((key) => [`${kinds[key].group}/${kinds[key].kind}`, key]),
);

/** The kind of a group and a kind name, whatever the version; undefined when Waymark does not know it. */
export function kindOf(group: string, kind: string): Kind | undefined {
	return byGroupKind.get(`${group}/${kind}`);
}

/** The kind of an object by its `apiVersion` and `kind`; undefined when Waymark does not know it. */
export function kindOfObject(object: unknown): Kind | undefined {
	if (typeof object !== "object" || object === null) {
		return undefined;
	}
	const { apiVersion, kind } = object as { apiVersion?: unknown; kind?: unknown };
	if (typeof apiVersion !== "string" || typeof kind !== "string") {
		return undefined;
	}
	const slash = apiVersion.indexOf("/");
	return kindOf(slash < 0 ? "" : apiVersion.slice(0, slash), kind);
}

/** An optional field: the API server prunes an explicit null, so it means the same as an absent one. */
type Optional<T> = T | null | undefined;

export interface Metadata {
	readonly name?: Optional<string>;
	readonly generateName?: Optional<string>;
	readonly namespace?: Optional<string>;
	readonly labels?: Optional<Readonly<Record<string, string>>>;
	readonly annotations?: Optional<Readonly<Record<string, string>>>;
	readonly creationTimestamp?: Optional<string>;
	readonly deletionTimestamp?: Optional<string>;
	readonly generation?: Optional<number>;
	readonly resourceVersion?: Optional<string>;
	readonly uid?: Optional<string>;
}

/** What every object has. */
export interface AnyObject {
	readonly apiVersion?: Optional<string>;
	readonly kind?: Optional<string>;
	readonly metadata?: Optional<Metadata>;
}

export interface Condition {
	readonly type: string;
	readonly status: string;
	readonly reason?: Optional<string>;
	readonly message?: Optional<string>;
}

export interface ServiceEntry extends AnyObject {
	readonly spec?: Optional<ServiceEntrySpec>;
	readonly status?: Optional<{
		readonly addresses?: Optional<
			readonly { readonly value?: Optional<string>; readonly host?: Optional<string> }[]
		>;
		readonly conditions?: Optional<readonly Condition[]>;
	}>;
}

export interface ServiceEntrySpec {
	readonly hosts?: Optional<readonly string[]>;
	readonly addresses?: Optional<readonly string[]>;
	readonly ports?: Optional<readonly ServiceEntryPort[]>;
	readonly location?: Optional<string>;
	readonly resolution?: Optional<string>;
	readonly endpoints?: Optional<readonly WorkloadEntrySpec[]>;
	readonly workloadSelector?: Optional<{ readonly labels?: Optional<Readonly<Record<string, string>>> }>;
	readonly exportTo?: Optional<readonly string[]>;
	readonly subjectAltNames?: Optional<readonly string[]>;
}

export interface ServiceEntryPort {
	readonly number?: Optional<number>;
	readonly protocol?: Optional<string>;
	readonly name?: Optional<string>;
	readonly targetPort?: Optional<number>;
}

/** A machine that ServiceEntries select by its labels. */
export interface WorkloadEntry extends AnyObject {
	readonly spec?: Optional<WorkloadEntrySpec>;
}

export interface WorkloadEntrySpec {
	readonly address?: Optional<string>;
	readonly ports?: Optional<Readonly<Record<string, number>>>;
	readonly labels?: Optional<Readonly<Record<string, string>>>;
	readonly network?: Optional<string>;
	readonly locality?: Optional<string>;
	readonly weight?: Optional<number>;
	readonly serviceAccount?: Optional<string>;
}

export interface IstioGateway extends AnyObject {
	readonly spec?: Optional<{
		readonly selector?: Optional<Readonly<Record<string, string>>>;
		readonly servers?: Optional<readonly IstioServer[]>;
	}>;
}

export interface IstioServer {
	readonly hosts?: Optional<readonly string[]>;
	readonly name?: Optional<string>;
	readonly port?: Optional<{
		readonly number?: Optional<number>;
		readonly name?: Optional<string>;
		readonly protocol?: Optional<string>;
	}>;
	readonly tls?: Optional<{ readonly mode?: Optional<string>; readonly credentialName?: Optional<string> }>;
}

export interface VirtualService extends AnyObject {
	readonly spec?: Optional<{
		readonly hosts?: Optional<readonly string[]>;
		readonly gateways?: Optional<readonly string[]>;
		readonly http?: Optional<readonly HttpRoute[]>;
		readonly tls?: Optional<readonly TlsRoute[]>;
		readonly tcp?: Optional<readonly TcpRoute[]>;
		readonly exportTo?: Optional<readonly string[]>;
	}>;
}

export interface HttpRoute {
	readonly name?: Optional<string>;
	readonly match?: Optional<readonly RouteMatch[]>;
	readonly route?: Optional<readonly RouteDestination[]>;
	readonly mirror?: Optional<Destination>;
	readonly mirrors?: Optional<readonly { readonly destination?: Optional<Destination> }[]>;
	readonly delegate?: Optional<{ readonly name?: Optional<string>; readonly namespace?: Optional<string> }>;
}

export interface TlsRoute {
	readonly match?: Optional<readonly RouteMatch[]>;
	readonly route?: Optional<readonly RouteDestination[]>;
}

export interface TcpRoute {
	readonly match?: Optional<readonly RouteMatch[]>;
	readonly route?: Optional<readonly RouteDestination[]>;
}

export interface RouteMatch {
	readonly gateways?: Optional<readonly string[]>;
	readonly port?: Optional<number>;
	readonly sniHosts?: Optional<readonly string[]>;
}

export interface RouteDestination {
	readonly destination?: Optional<Destination>;
	readonly weight?: Optional<number>;
}

export interface Destination {
	readonly host?: Optional<string>;
	readonly subset?: Optional<string>;
	readonly port?: Optional<{ readonly number?: Optional<number> }>;
}

export interface DestinationRule extends AnyObject {
	readonly spec?: Optional<{
		readonly host?: Optional<string>;
		readonly trafficPolicy?: Optional<TrafficPolicy>;
		readonly subsets?: Optional<
			readonly {
				readonly name?: Optional<string>;
				readonly trafficPolicy?: Optional<TrafficPolicy>;
			}[]
		>;
		readonly exportTo?: Optional<readonly string[]>;
		readonly workloadSelector?: Optional<{
			readonly matchLabels?: Optional<Readonly<Record<string, string>>>;
		}>;
	}>;
}

export interface TrafficPolicy {
	readonly tls?: Optional<ClientTls>;
	readonly portLevelSettings?: Optional<
		readonly {
			readonly port?: Optional<{ readonly number?: Optional<number> }>;
			readonly tls?: Optional<ClientTls>;
		}[]
	>;
	readonly tunnel?: Optional<{
		readonly targetHost?: Optional<string>;
		readonly targetPort?: Optional<number>;
	}>;
}

export interface ClientTls {
	readonly mode?: Optional<string>;
	readonly sni?: Optional<string>;
	readonly credentialName?: Optional<string>;
}

export interface Sidecar extends AnyObject {
	readonly spec?: Optional<{
		readonly workloadSelector?: Optional<{ readonly labels?: Optional<Readonly<Record<string, string>>> }>;
		readonly egress?: Optional<readonly { readonly hosts?: Optional<readonly string[]> }[]>;
		readonly outboundTrafficPolicy?: Optional<{
			readonly mode?: Optional<string>;
			readonly egressProxy?: Optional<Destination>;
		}>;
	}>;
}

export interface KubernetesGateway extends AnyObject {
	readonly spec?: Optional<{
		readonly gatewayClassName?: Optional<string>;
		readonly addresses?: Optional<
			readonly { readonly type?: Optional<string>; readonly value?: Optional<string> }[]
		>;
		readonly listeners?: Optional<readonly GatewayListener[]>;
	}>;
	readonly status?: Optional<{
		readonly addresses?: Optional<
			readonly { readonly type?: Optional<string>; readonly value?: Optional<string> }[]
		>;
		readonly conditions?: Optional<readonly Condition[]>;
	}>;
}

export interface GatewayListener {
	readonly name?: Optional<string>;
	readonly hostname?: Optional<string>;
	readonly port?: Optional<number>;
	readonly protocol?: Optional<string>;
	readonly tls?: Optional<{
		readonly mode?: Optional<string>;
		readonly options?: Optional<Readonly<Record<string, string>>>;
	}>;
	readonly allowedRoutes?: Optional<{
		readonly namespaces?: Optional<{
			readonly from?: Optional<string>;
			readonly selector?: Optional<LabelSelector>;
		}>;
	}>;
}

export interface LabelSelector {
	readonly matchLabels?: Optional<Readonly<Record<string, string>>>;
	readonly matchExpressions?: Optional<
		readonly {
			readonly key?: Optional<string>;
			readonly operator?: Optional<string>;
			readonly values?: Optional<readonly string[]>;
		}[]
	>;
}

export interface GatewayClass extends AnyObject {
	readonly spec?: Optional<{ readonly controllerName?: Optional<string> }>;
}

/** HTTPRoute, GRPCRoute, TLSRoute and TCPRoute: the parts that say from where to where. */
export interface GatewayRoute extends AnyObject {
	readonly spec?: Optional<{
		readonly parentRefs?: Optional<readonly ObjectReference[]>;
		readonly hostnames?: Optional<readonly string[]>;
		readonly rules?: Optional<
			readonly {
				readonly backendRefs?: Optional<readonly ObjectReference[]>;
				readonly filters?: Optional<
					readonly {
						readonly type?: Optional<string>;
						readonly requestMirror?: Optional<{ readonly backendRef?: Optional<ObjectReference> }>;
					}[]
				>;
			}[]
		>;
	}>;
}

export interface ObjectReference {
	readonly group?: Optional<string>;
	readonly kind?: Optional<string>;
	readonly namespace?: Optional<string>;
	readonly name?: Optional<string>;
	readonly port?: Optional<number>;
	readonly sectionName?: Optional<string>;
}

export interface AsmEgressTrafficPolicy extends AnyObject {
	readonly spec?: Optional<{
		readonly byEgressGateway?: Optional<{
			readonly name?: Optional<string>;
			readonly port?: Optional<number>;
		}>;
		readonly egressRules?: Optional<
			readonly {
				readonly name?: Optional<string>;
				readonly from?: Optional<readonly { readonly namespace?: Optional<string> }[]>;
				readonly to?: Optional<
					readonly {
						readonly name?: Optional<string>;
						readonly hosts?: Optional<readonly string[]>;
						readonly port?: Optional<ServiceEntryPort>;
						readonly byEgressGateway?: Optional<{
							readonly name?: Optional<string>;
							readonly port?: Optional<number>;
						}>;
					}[]
				>;
			}[]
		>;
	}>;
}

export interface Namespace extends AnyObject {
	readonly status?: Optional<{ readonly phase?: Optional<string> }>;
}

export interface Service extends AnyObject {
	readonly spec?: Optional<{
		readonly type?: Optional<string>;
		readonly clusterIP?: Optional<string>;
		readonly clusterIPs?: Optional<readonly string[]>;
		readonly externalName?: Optional<string>;
		readonly selector?: Optional<Readonly<Record<string, string>>>;
		readonly ports?: Optional<
			readonly { readonly port?: Optional<number>; readonly name?: Optional<string> }[]
		>;
	}>;
}

export interface BackendTlsPolicy extends AnyObject {
	readonly spec?: Optional<{
		readonly targetRefs?: Optional<readonly ObjectReference[]>;
	}>;
}
