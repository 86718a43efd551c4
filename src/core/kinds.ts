import { pruneNulls } from "./prune-nulls.ts";
import type { Infer, Shape } from "./shape.ts";
import { conforms, resolveShape } from "./shape.ts";
import type { Excess, Measure } from "./size.ts";
import { measureOf } from "./size.ts";

/** Shapes that several kinds share, by the name under which the rows below refer to them. */
const parts = {
	Metadata: {
		fields: {
			name: "string",
			generateName: "string",
			namespace: "string",
			labels: { map: "string" },
			annotations: { map: "string", longest: 262_144 },
			creationTimestamp: "string",
			deletionTimestamp: "string",
			generation: "number",
			resourceVersion: "string",
			uid: "string",
		},
	},
	/** Of a kind of which Waymark keeps objects: whose they are matters. */
	OwnedMetadata: {
		fields: {
			name: "string",
			generateName: "string",
			namespace: "string",
			labels: { map: "string" },
			annotations: { map: "string", longest: 262_144 },
			creationTimestamp: "string",
			deletionTimestamp: "string",
			generation: "number",
			resourceVersion: "string",
			uid: "string",
			ownerReferences: {
				list: { fields: { apiVersion: "string", kind: "string", name: "string", uid: "string" } },
			},
		},
	},
	Condition: { fields: { type: "string", status: "string", reason: "string", message: "string" } },
	ServiceEntryPort: {
		fields: { number: "number", protocol: "string", name: "string", targetPort: "number" },
	},
	WorkloadEntrySpec: {
		fields: {
			address: "string",
			ports: { map: "number" },
			labels: { map: "string" },
			network: "string",
			locality: "string",
			weight: "number",
			serviceAccount: "string",
		},
	},
	ServiceEntrySpec: {
		fields: {
			hosts: { list: "string", most: 256 },
			addresses: { list: "string", most: 256 },
			ports: { list: "ServiceEntryPort", most: 256 },
			location: "string",
			resolution: "string",
			endpoints: { list: "WorkloadEntrySpec" },
			workloadSelector: { fields: { labels: { map: "string" } } },
			exportTo: { list: "string" },
			subjectAltNames: { list: "string" },
		},
	},
	IstioServer: {
		fields: {
			hosts: { list: "string" },
			name: "string",
			port: { fields: { number: "number", name: "string", protocol: "string" } },
			tls: { fields: { mode: "string", credentialName: "string" } },
		},
	},
	Destination: { fields: { host: "string", subset: "string", port: { fields: { number: "number" } } } },
	RouteDestination: { fields: { destination: "Destination", weight: "number", headers: "RouteHeaders" } },
	RouteHeaders: {
		fields: { request: { fields: { set: { map: "string" }, add: { map: "string" } } } },
	},
	RouteMatch: { fields: { gateways: { list: "string" }, port: "number", sniHosts: { list: "string" } } },
	HttpRoute: {
		fields: {
			name: "string",
			match: { list: "RouteMatch" },
			route: { list: "RouteDestination" },
			mirror: "Destination",
			mirrors: { list: { fields: { destination: "Destination" } } },
			delegate: { fields: { name: "string", namespace: "string" } },
			redirect: { fields: { authority: "string" } },
			rewrite: { fields: { authority: "string" } },
			headers: "RouteHeaders",
		},
	},
	/** A route of TLS or TCP connections. */
	ConnectionRoute: { fields: { match: { list: "RouteMatch" }, route: { list: "RouteDestination" } } },
	ClientTls: {
		fields: { mode: "string", sni: "string", credentialName: "string", insecureSkipVerify: "boolean" },
	},
	TrafficPolicy: {
		fields: {
			tls: "ClientTls",
			portLevelSettings: {
				list: { fields: { port: { fields: { number: "number" } }, tls: "ClientTls" } },
			},
			tunnel: { fields: { targetHost: "string", targetPort: "number" } },
		},
	},
	LabelSelector: {
		fields: {
			matchLabels: { map: "string" },
			matchExpressions: {
				list: { fields: { key: "string", operator: "string", values: { list: "string" } } },
			},
		},
	},
	GatewayListener: {
		fields: {
			name: "string",
			hostname: "string",
			port: "number",
			protocol: "string",
			tls: { fields: { mode: "string", options: { map: "string" } } },
			allowedRoutes: {
				fields: { namespaces: { fields: { from: "string", selector: "LabelSelector" } } },
			},
		},
	},
	GatewayAddress: { fields: { type: "string", value: "string" } },
	ObjectReference: {
		fields: {
			group: "string",
			kind: "string",
			namespace: "string",
			name: "string",
			port: "number",
			sectionName: "string",
		},
	},
	HeaderModifier: {
		fields: {
			set: { list: { fields: { name: "string", value: "string" } } },
			add: { list: { fields: { name: "string", value: "string" } } },
		},
	},
	RouteBackend: {
		fields: {
			group: "string",
			kind: "string",
			namespace: "string",
			name: "string",
			port: "number",
			sectionName: "string",
			filters: { list: { fields: { requestHeaderModifier: "HeaderModifier" } } },
		},
	},
	/** HTTPRoute, GRPCRoute, TLSRoute and TCPRoute: the parts that say from where to where. */
	GatewayRouteSpec: {
		fields: {
			parentRefs: { list: "ObjectReference" },
			hostnames: { list: "string" },
			rules: {
				list: {
					fields: {
						backendRefs: { list: "RouteBackend" },
						filters: {
							list: {
								fields: {
									type: "string",
									requestMirror: { fields: { backendRef: "ObjectReference" } },
									requestRedirect: { fields: { hostname: "string" } },
									urlRewrite: { fields: { hostname: "string" } },
									requestHeaderModifier: "HeaderModifier",
								},
							},
						},
					},
				},
			},
		},
	},
	/** What a policy of Istio's selects by labels, where it targets nothing. */
	PolicySelector: { fields: { matchLabels: { map: "string" } } },
	AsmEgressGateway: { fields: { name: "string", port: "number" } },
	AuthorizationSource: {
		fields: {
			principals: { list: "string" },
			notPrincipals: { list: "string" },
			requestPrincipals: { list: "string" },
			notRequestPrincipals: { list: "string" },
			namespaces: { list: "string" },
			notNamespaces: { list: "string" },
			serviceAccounts: { list: "string" },
			notServiceAccounts: { list: "string" },
			ipBlocks: { list: "string", most: 32_768 },
			notIpBlocks: { list: "string", most: 32_768 },
			remoteIpBlocks: { list: "string", most: 32_768 },
			notRemoteIpBlocks: { list: "string", most: 32_768 },
			trustDomains: { list: "string" },
			notTrustDomains: { list: "string" },
		},
	},
	AuthorizationOperation: {
		fields: {
			hosts: { list: "string" },
			notHosts: { list: "string" },
			ports: { list: "string" },
			notPorts: { list: "string" },
			methods: { list: "string" },
			notMethods: { list: "string" },
			paths: { list: "string" },
			notPaths: { list: "string" },
		},
	},
	AuthorizationCondition: {
		fields: { key: "string", values: { list: "string" }, notValues: { list: "string" } },
	},
	/** One rule: some of `from`, some of `to`, and all of `when`. */
	AuthorizationRule: {
		fields: {
			from: { list: { fields: { source: "AuthorizationSource" } } },
			to: { list: { fields: { operation: "AuthorizationOperation" } } },
			when: { list: "AuthorizationCondition" },
		},
	},
} as const;

/**
 * Every kind that Waymark judges or reads, one row each: how the API server names it, its served versions that Waymark
 * can read (the preferred one first), and the fields that Waymark reads beside `metadata`. The key is ours, because the
 * two Gateways share a name in Kubernetes.
 */
const table = {
	ServiceEntry: {
		group: "networking.istio.io",
		kind: "ServiceEntry",
		plural: "serviceentries",
		versions: ["v1", "v1beta1", "v1alpha3"],
		namespaced: true,
		fields: {
			spec: "ServiceEntrySpec",
			status: {
				fields: {
					addresses: { list: { fields: { value: "string", host: "string" } } },
					conditions: { list: "Condition" },
				},
			},
		},
	},
	WorkloadEntry: {
		group: "networking.istio.io",
		kind: "WorkloadEntry",
		plural: "workloadentries",
		versions: ["v1", "v1beta1", "v1alpha3"],
		namespaced: true,
		fields: { spec: "WorkloadEntrySpec" },
	},
	IstioGateway: {
		group: "networking.istio.io",
		kind: "Gateway",
		plural: "gateways",
		versions: ["v1", "v1beta1", "v1alpha3"],
		namespaced: true,
		fields: {
			spec: { fields: { selector: { map: "string" }, servers: { list: "IstioServer" } } },
		},
	},
	VirtualService: {
		group: "networking.istio.io",
		kind: "VirtualService",
		plural: "virtualservices",
		versions: ["v1", "v1beta1", "v1alpha3"],
		namespaced: true,
		fields: {
			spec: {
				fields: {
					hosts: { list: "string" },
					gateways: { list: "string", most: 256 },
					http: { list: "HttpRoute" },
					tls: { list: "ConnectionRoute" },
					tcp: { list: "ConnectionRoute" },
					exportTo: { list: "string" },
				},
			},
		},
	},
	DestinationRule: {
		group: "networking.istio.io",
		kind: "DestinationRule",
		plural: "destinationrules",
		versions: ["v1", "v1beta1", "v1alpha3"],
		namespaced: true,
		fields: {
			spec: {
				fields: {
					host: "string",
					trafficPolicy: "TrafficPolicy",
					subsets: { list: { fields: { name: "string", trafficPolicy: "TrafficPolicy" } } },
					exportTo: { list: "string" },
					workloadSelector: { fields: { matchLabels: { map: "string" } } },
				},
			},
		},
	},
	Sidecar: {
		group: "networking.istio.io",
		kind: "Sidecar",
		plural: "sidecars",
		versions: ["v1", "v1beta1", "v1alpha3"],
		namespaced: true,
		fields: {
			spec: {
				fields: {
					workloadSelector: { fields: { labels: { map: "string" } } },
					egress: { list: { fields: { hosts: { list: "string" } } } },
					outboundTrafficPolicy: { fields: { mode: "string", egressProxy: "Destination" } },
				},
			},
		},
	},
	KubernetesGateway: {
		group: "gateway.networking.k8s.io",
		kind: "Gateway",
		plural: "gateways",
		versions: ["v1", "v1beta1"],
		namespaced: true,
		fields: {
			spec: {
				fields: {
					gatewayClassName: "string",
					addresses: { list: "GatewayAddress" },
					listeners: { list: "GatewayListener" },
					infrastructure: { fields: { labels: { map: "string" } } },
				},
			},
			status: {
				fields: { addresses: { list: "GatewayAddress" }, conditions: { list: "Condition" } },
			},
		},
	},
	GatewayClass: {
		group: "gateway.networking.k8s.io",
		kind: "GatewayClass",
		plural: "gatewayclasses",
		versions: ["v1", "v1beta1"],
		namespaced: false,
		fields: { spec: { fields: { controllerName: "string" } } },
	},
	HTTPRoute: {
		group: "gateway.networking.k8s.io",
		kind: "HTTPRoute",
		plural: "httproutes",
		versions: ["v1", "v1beta1"],
		namespaced: true,
		fields: { spec: "GatewayRouteSpec" },
	},
	GRPCRoute: {
		group: "gateway.networking.k8s.io",
		kind: "GRPCRoute",
		plural: "grpcroutes",
		versions: ["v1", "v1alpha2"],
		namespaced: true,
		fields: { spec: "GatewayRouteSpec" },
	},
	TLSRoute: {
		group: "gateway.networking.k8s.io",
		kind: "TLSRoute",
		plural: "tlsroutes",
		versions: ["v1", "v1alpha3", "v1alpha2"],
		namespaced: true,
		fields: { spec: "GatewayRouteSpec" },
	},
	TCPRoute: {
		group: "gateway.networking.k8s.io",
		kind: "TCPRoute",
		plural: "tcproutes",
		versions: ["v1", "v1alpha2"],
		namespaced: true,
		fields: { spec: "GatewayRouteSpec" },
	},
	ASMEgressTrafficPolicy: {
		group: "istio.alibabacloud.com",
		kind: "ASMEgressTrafficPolicy",
		plural: "asmegresstrafficpolicies",
		versions: ["v1beta1", "v1"],
		namespaced: true,
		fields: {
			spec: {
				fields: {
					byEgressGateway: "AsmEgressGateway",
					egressRules: {
						list: {
							fields: {
								name: "string",
								from: { list: { fields: { namespace: "string" } } },
								to: {
									list: {
										fields: {
											name: "string",
											hosts: { list: "string" },
											port: "ServiceEntryPort",
											byEgressGateway: "AsmEgressGateway",
										},
									},
								},
							},
						},
					},
				},
			},
		},
	},
	Namespace: {
		group: "",
		kind: "Namespace",
		plural: "namespaces",
		versions: ["v1"],
		namespaced: false,
		fields: { status: { fields: { phase: "string" } } },
	},
	Service: {
		group: "",
		kind: "Service",
		plural: "services",
		versions: ["v1"],
		namespaced: true,
		fields: {
			spec: {
				fields: {
					type: "string",
					clusterIP: "string",
					clusterIPs: { list: "string" },
					externalName: "string",
					selector: { map: "string" },
					ports: { list: { fields: { port: "number", name: "string" } } },
				},
			},
		},
	},
	BackendTLSPolicy: {
		group: "gateway.networking.k8s.io",
		kind: "BackendTLSPolicy",
		plural: "backendtlspolicies",
		versions: ["v1", "v1alpha3"],
		namespaced: true,
		fields: {
			spec: {
				fields: {
					targetRefs: { list: "ObjectReference" },
					validation: { fields: { hostname: "string", wellKnownCACertificates: "string" } },
				},
			},
		},
	},
	AuthorizationPolicy: {
		group: "security.istio.io",
		kind: "AuthorizationPolicy",
		plural: "authorizationpolicies",
		versions: ["v1", "v1beta1"],
		namespaced: true,
		fields: {
			metadata: "OwnedMetadata",
			spec: {
				fields: {
					selector: "PolicySelector",
					targetRef: "ObjectReference",
					targetRefs: { list: "ObjectReference" },
					action: "string",
					provider: { fields: { name: "string" } },
					rules: { list: "AuthorizationRule" },
				},
			},
		},
	},
	RequestAuthentication: {
		group: "security.istio.io",
		kind: "RequestAuthentication",
		plural: "requestauthentications",
		versions: ["v1", "v1beta1"],
		namespaced: true,
		fields: {
			spec: {
				fields: {
					selector: "PolicySelector",
					targetRef: "ObjectReference",
					targetRefs: { list: "ObjectReference" },
					jwtRules: { list: { fields: { issuer: "string" } } },
				},
			},
		},
	},
	WasmPlugin: {
		group: "extensions.istio.io",
		kind: "WasmPlugin",
		plural: "wasmplugins",
		versions: ["v1alpha1"],
		namespaced: true,
		fields: {
			spec: {
				fields: {
					selector: "PolicySelector",
					targetRef: "ObjectReference",
					targetRefs: { list: "ObjectReference" },
					type: "string",
				},
			},
		},
	},
	TrafficExtension: {
		group: "extensions.istio.io",
		kind: "TrafficExtension",
		plural: "trafficextensions",
		versions: ["v1alpha1"],
		namespaced: true,
		fields: {
			spec: { fields: { selector: "PolicySelector", targetRefs: { list: "ObjectReference" } } },
		},
	},
	Telemetry: {
		group: "telemetry.istio.io",
		kind: "Telemetry",
		plural: "telemetries",
		versions: ["v1", "v1alpha1"],
		namespaced: true,
		fields: {
			spec: {
				fields: {
					selector: "PolicySelector",
					targetRef: "ObjectReference",
					targetRefs: { list: "ObjectReference" },
					accessLogging: {
						list: {
							fields: {
								match: { fields: { mode: "string" } },
								disabled: "boolean",
								filter: { fields: { expression: "string" } },
								providers: { list: { fields: { name: "string" } } },
							},
						},
					},
					metrics: {
						list: {
							fields: {
								providers: { list: { fields: { name: "string" } } },
								overrides: {
									list: {
										fields: {
											match: { fields: { metric: "string", customMetric: "string", mode: "string" } },
											disabled: "boolean",
											tagOverrides: { map: { fields: { operation: "string" } } },
										},
									},
								},
							},
						},
					},
					tracing: {
						list: {
							fields: {
								match: { fields: { mode: "string" } },
								disableSpanReporting: "boolean",
								providers: { list: { fields: { name: "string" } } },
								randomSamplingPercentage: "number",
							},
						},
					},
				},
			},
		},
	},
	EnvoyFilter: {
		group: "networking.istio.io",
		kind: "EnvoyFilter",
		plural: "envoyfilters",
		versions: ["v1alpha3"],
		namespaced: true,
		fields: {
			spec: {
				fields: {
					workloadSelector: { fields: { labels: { map: "string" } } },
					targetRefs: { list: "ObjectReference" },
				},
			},
		},
	},
} as const;

/** Our key for a kind. Versions are ignored on purpose. */
export type Kind = keyof typeof table;

/** The type that a shared shape describes. */
type Part<Name extends keyof typeof parts> = Infer<(typeof parts)[Name], typeof parts>;

/** The type that a kind's row describes. */
type Row<K extends Kind> = AnyObject & Infer<{ readonly fields: (typeof table)[K]["fields"] }, typeof parts>;

/** What every object has. */
export interface AnyObject
	extends Infer<{ fields: { apiVersion: "string"; kind: "string"; metadata: "Metadata" } }, typeof parts> {}

/** The object types by kind: every field may be absent, or null, which the API server prunes. */
export type Resources = { readonly [K in Kind]: Row<K> };

export interface ServiceEntry extends Row<"ServiceEntry"> {}
/** A machine that ServiceEntries select by its labels. */
export interface WorkloadEntry extends Row<"WorkloadEntry"> {}
export interface IstioGateway extends Row<"IstioGateway"> {}
export interface VirtualService extends Row<"VirtualService"> {}
export interface DestinationRule extends Row<"DestinationRule"> {}
export interface Sidecar extends Row<"Sidecar"> {}
export interface KubernetesGateway extends Row<"KubernetesGateway"> {}
export interface GatewayClass extends Row<"GatewayClass"> {}
/** HTTPRoute, GRPCRoute, TLSRoute and TCPRoute. */
export interface GatewayRoute extends Row<"HTTPRoute"> {}
export interface AsmEgressTrafficPolicy extends Row<"ASMEgressTrafficPolicy"> {}
export interface Namespace extends Row<"Namespace"> {}
export interface Service extends Row<"Service"> {}
export interface BackendTlsPolicy extends Row<"BackendTLSPolicy"> {}
/** Who may send what to what it targets (istio.io/api security/v1beta1/authorization_policy.proto). */
export interface AuthorizationPolicy extends Row<"AuthorizationPolicy"> {}
export interface RequestAuthentication extends Row<"RequestAuthentication"> {}
export interface WasmPlugin extends Row<"WasmPlugin"> {}
/** Lua or WebAssembly in a proxy: what follows WasmPlugin (istio.io/api extensions/v1alpha1/traffic_extension.proto). */
export interface TrafficExtension extends Row<"TrafficExtension"> {}
export interface Telemetry extends Row<"Telemetry"> {}
export interface EnvoyFilter extends Row<"EnvoyFilter"> {}

export interface Metadata extends Part<"Metadata"> {}
export interface Condition extends Part<"Condition"> {}
export interface ServiceEntryPort extends Part<"ServiceEntryPort"> {}
export interface WorkloadEntrySpec extends Part<"WorkloadEntrySpec"> {}
export interface HttpRoute extends Part<"HttpRoute"> {}
export interface ConnectionRoute extends Part<"ConnectionRoute"> {}
export interface RouteMatch extends Part<"RouteMatch"> {}
export interface RouteDestination extends Part<"RouteDestination"> {}
export interface Destination extends Part<"Destination"> {}
export interface TrafficPolicy extends Part<"TrafficPolicy"> {}
export interface ClientTls extends Part<"ClientTls"> {}
export interface GatewayListener extends Part<"GatewayListener"> {}
export interface LabelSelector extends Part<"LabelSelector"> {}
export interface ObjectReference extends Part<"ObjectReference"> {}
export interface AuthorizationRule extends Part<"AuthorizationRule"> {}
export interface AuthorizationSource extends Part<"AuthorizationSource"> {}
export interface AuthorizationOperation extends Part<"AuthorizationOperation"> {}
export interface AuthorizationCondition extends Part<"AuthorizationCondition"> {}

/** How the API server names a kind, and what Waymark reads of it. */
export interface KindInfo {
	readonly group: string;
	readonly kind: string;
	readonly plural: string;
	/** Served versions that Waymark can read, the preferred one first. */
	readonly versions: readonly string[];
	readonly namespaced: boolean;
	/** What the guard checks and what a watch keeps. */
	readonly shape: Shape;
	/** Whether an object has the shape, and is not too large to judge. */
	readonly measure: Measure;
}

/** All kind keys, in the order of the table. */
export const allKinds: readonly Kind[] = Object.keys(table) as Kind[];

/** Every kind that Waymark judges or reads. */
export const kinds: { readonly [K in Kind]: KindInfo } = Object.fromEntries(
	allKinds.map((kind) => [kind, infoOf(kind)]),
) as { readonly [K in Kind]: KindInfo };

function infoOf(key: Kind): KindInfo {
	const { fields, ...names } = table[key];
	const common = { apiVersion: "string", kind: "string", metadata: "Metadata" } as const;
	const shape = resolveShape({ fields: { ...common, ...fields } }, parts);
	return { ...names, shape, measure: measureOf(shape) };
}

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

/** An object as rules may read it, or why they may not. */
export type ObjectReading =
	| { readonly state: "right"; readonly object: unknown }
	| { readonly state: "misshapen"; readonly object: unknown }
	| { readonly state: "oversized"; readonly object: unknown; readonly excess: Excess };

/**
 * Reads an object as the API server would store it. A status that has not the shape counts as absent: no schema holds it
 * in some CRDs, and whoever may write it must not silence what is said about the rest.
 */
export function readObject(kind: Kind, object: unknown): ObjectReading {
	const { measure } = kinds[kind];
	const written = measure(object);
	if (written.fits) {
		return { state: "right", object };
	}
	if (written.excess !== undefined) {
		return { state: "oversized", object, excess: written.excess };
	}
	const stored = pruneNulls(object);
	for (const candidate of [stored, withoutStatus(stored)]) {
		const { fits, excess } = measure(candidate);
		if (excess !== undefined) {
			return { state: "oversized", object, excess };
		}
		if (fits) {
			return { state: "right", object: candidate };
		}
	}
	return { state: "misshapen", object };
}

/** An object without its status, which others write. */
export function withoutStatus(object: unknown): unknown {
	return typeof object === "object" && object !== null && "status" in object
		? { ...object, status: undefined }
		: object;
}

/** Whether an object has the shape of its kind, so that rules can read it without fear. */
export function conformsToKind<K extends Kind>(kind: K, object: unknown): object is Resources[K] {
	return conforms<Resources[K]>(object, kinds[kind].shape);
}

const labelSelector = resolveShape("LabelSelector", parts);

/** Whether a value of a configuration can be read as a label selector. */
export function isLabelSelector(value: unknown): value is LabelSelector {
	return conforms<LabelSelector>(value, labelSelector);
}
