import type {
	AsmEgressTrafficPolicy,
	BackendTlsPolicy,
	ClientTls,
	Condition,
	Destination,
	DestinationRule,
	GatewayClass,
	GatewayListener,
	GatewayRoute,
	HttpRoute,
	IstioGateway,
	KubernetesGateway,
	LabelSelector,
	Metadata,
	Namespace,
	ObjectReference,
	Resources,
	RouteDestination,
	RouteMatch,
	Service,
	ServiceEntry,
	ServiceEntryPort,
	Sidecar,
	TlsRoute,
	TrafficPolicy,
	VirtualService,
	WorkloadEntry,
	WorkloadEntrySpec,
} from "./kinds.ts";
import type { Shape } from "./shape.ts";
import { conforms } from "./shape.ts";

const strings: { readonly list: "string" } = { list: "string" };
const stringMap: { readonly map: "string" } = { map: "string" };

const metadata: Shape<Metadata> = {
	fields: {
		name: "string",
		generateName: "string",
		namespace: "string",
		labels: stringMap,
		annotations: stringMap,
		creationTimestamp: "string",
		deletionTimestamp: "string",
		generation: "number",
		resourceVersion: "string",
		uid: "string",
	},
};

const common = { apiVersion: "string", kind: "string", metadata } as const;

const conditions: { readonly list: Shape<Condition> } = {
	list: { fields: { type: "string", status: "string", reason: "string", message: "string" } },
};

const serviceEntryPort: Shape<ServiceEntryPort> = {
	fields: { number: "number", protocol: "string", name: "string", targetPort: "number" },
};

const workloadEntrySpec: Shape<WorkloadEntrySpec> = {
	fields: {
		address: "string",
		ports: { map: "number" },
		labels: stringMap,
		network: "string",
		locality: "string",
		weight: "number",
		serviceAccount: "string",
	},
};

const workloadEntry: Shape<WorkloadEntry> = { fields: { ...common, spec: workloadEntrySpec } };

const serviceEntry: Shape<ServiceEntry> = {
	fields: {
		...common,
		spec: {
			fields: {
				hosts: strings,
				addresses: strings,
				ports: { list: serviceEntryPort },
				location: "string",
				resolution: "string",
				endpoints: { list: workloadEntrySpec },
				workloadSelector: { fields: { labels: stringMap } },
				exportTo: strings,
				subjectAltNames: strings,
			},
		},
		status: {
			fields: { addresses: { list: { fields: { value: "string", host: "string" } } }, conditions },
		},
	},
};

const istioGateway: Shape<IstioGateway> = {
	fields: {
		...common,
		spec: {
			fields: {
				selector: stringMap,
				servers: {
					list: {
						fields: {
							hosts: strings,
							name: "string",
							port: { fields: { number: "number", name: "string", protocol: "string" } },
							tls: { fields: { mode: "string", credentialName: "string" } },
						},
					},
				},
			},
		},
	},
};

const destination: Shape<Destination> = {
	fields: { host: "string", subset: "string", port: { fields: { number: "number" } } },
};
const routes: { readonly list: Shape<RouteDestination> } = {
	list: { fields: { destination, weight: "number" } },
};
const match: { readonly list: Shape<RouteMatch> } = {
	list: { fields: { gateways: strings, port: "number", sniHosts: strings } },
};
const layer4: { readonly list: Shape<TlsRoute> } = { list: { fields: { match, route: routes } } };

const httpRoute: Shape<HttpRoute> = {
	fields: {
		name: "string",
		match,
		route: routes,
		mirror: destination,
		mirrors: { list: { fields: { destination } } },
		delegate: { fields: { name: "string", namespace: "string" } },
	},
};

const virtualService: Shape<VirtualService> = {
	fields: {
		...common,
		spec: {
			fields: {
				hosts: strings,
				gateways: strings,
				http: { list: httpRoute },
				tls: layer4,
				tcp: layer4,
				exportTo: strings,
			},
		},
	},
};

const clientTls: Shape<ClientTls> = { fields: { mode: "string", sni: "string", credentialName: "string" } };
const trafficPolicy: Shape<TrafficPolicy> = {
	fields: {
		tls: clientTls,
		portLevelSettings: { list: { fields: { port: { fields: { number: "number" } }, tls: clientTls } } },
		tunnel: { fields: { targetHost: "string", targetPort: "number" } },
	},
};

const destinationRule: Shape<DestinationRule> = {
	fields: {
		...common,
		spec: {
			fields: {
				host: "string",
				trafficPolicy,
				subsets: { list: { fields: { name: "string", trafficPolicy } } },
				exportTo: strings,
				workloadSelector: { fields: { matchLabels: stringMap } },
			},
		},
	},
};

const sidecar: Shape<Sidecar> = {
	fields: {
		...common,
		spec: {
			fields: {
				workloadSelector: { fields: { labels: stringMap } },
				egress: { list: { fields: { hosts: strings } } },
				outboundTrafficPolicy: { fields: { mode: "string", egressProxy: destination } },
			},
		},
	},
};

const labelSelector: Shape<LabelSelector> = {
	fields: {
		matchLabels: stringMap,
		matchExpressions: { list: { fields: { key: "string", operator: "string", values: strings } } },
	},
};

const listener: Shape<GatewayListener> = {
	fields: {
		name: "string",
		hostname: "string",
		port: "number",
		protocol: "string",
		tls: { fields: { mode: "string", options: stringMap } },
		allowedRoutes: { fields: { namespaces: { fields: { from: "string", selector: labelSelector } } } },
	},
};

const addresses = { list: { fields: { type: "string", value: "string" } } } as const;

const kubernetesGateway: Shape<KubernetesGateway> = {
	fields: {
		...common,
		spec: { fields: { gatewayClassName: "string", addresses, listeners: { list: listener } } },
		status: { fields: { addresses, conditions } },
	},
};

const gatewayClass: Shape<GatewayClass> = {
	fields: { ...common, spec: { fields: { controllerName: "string" } } },
};

const reference: Shape<ObjectReference> = {
	fields: {
		group: "string",
		kind: "string",
		namespace: "string",
		name: "string",
		port: "number",
		sectionName: "string",
	},
};

const gatewayRoute: Shape<GatewayRoute> = {
	fields: {
		...common,
		spec: {
			fields: {
				parentRefs: { list: reference },
				hostnames: strings,
				rules: {
					list: {
						fields: {
							backendRefs: { list: reference },
							filters: {
								list: { fields: { type: "string", requestMirror: { fields: { backendRef: reference } } } },
							},
						},
					},
				},
			},
		},
	},
};

const byGateway = { fields: { name: "string", port: "number" } } as const;

const asmEgressTrafficPolicy: Shape<AsmEgressTrafficPolicy> = {
	fields: {
		...common,
		spec: {
			fields: {
				byEgressGateway: byGateway,
				egressRules: {
					list: {
						fields: {
							name: "string",
							from: { list: { fields: { namespace: "string" } } },
							to: {
								list: {
									fields: {
										name: "string",
										hosts: strings,
										port: serviceEntryPort,
										byEgressGateway: byGateway,
									},
								},
							},
						},
					},
				},
			},
		},
	},
};

const namespace: Shape<Namespace> = { fields: { ...common, status: { fields: { phase: "string" } } } };

const service: Shape<Service> = {
	fields: {
		...common,
		spec: {
			fields: {
				type: "string",
				clusterIP: "string",
				clusterIPs: strings,
				externalName: "string",
				selector: stringMap,
				ports: { list: { fields: { port: "number", name: "string" } } },
			},
		},
	},
};

const backendTlsPolicy: Shape<BackendTlsPolicy> = {
	fields: { ...common, spec: { fields: { targetRefs: { list: reference } } } },
};

/** The fields of every kind that Waymark reads: what the guard checks and what a watch keeps. */
export const shapes: { readonly [K in keyof Resources]: Shape<Resources[K]> } = {
	ServiceEntry: serviceEntry,
	WorkloadEntry: workloadEntry,
	IstioGateway: istioGateway,
	VirtualService: virtualService,
	DestinationRule: destinationRule,
	Sidecar: sidecar,
	KubernetesGateway: kubernetesGateway,
	GatewayClass: gatewayClass,
	HTTPRoute: gatewayRoute,
	GRPCRoute: gatewayRoute,
	TLSRoute: gatewayRoute,
	TCPRoute: gatewayRoute,
	ASMEgressTrafficPolicy: asmEgressTrafficPolicy,
	Namespace: namespace,
	Service: service,
	BackendTLSPolicy: backendTlsPolicy,
};

/** Whether an object has the shape of its kind, so that rules can read it without fear. */
export function conformsToKind<K extends keyof Resources>(kind: K, object: unknown): object is Resources[K] {
	return conforms<Resources[K]>(object, shapes[kind] as Shape<Resources[K]>);
}
