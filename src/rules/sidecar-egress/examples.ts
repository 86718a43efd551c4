import type {
	DestinationRule,
	GatewayRoute,
	IstioGateway,
	KubernetesGateway,
	ServiceEntry,
	VirtualService,
} from "../../core/kinds.ts";

const host = "api.payments.example.com";
const egressService = "istio-egressgateway.istio-system.svc.cluster.local";

/** A Gateway of the sidecar-style egress gateway, as Istio's egress task writes it. */
export const egressGateway: IstioGateway = {
	apiVersion: "networking.istio.io/v1",
	kind: "Gateway",
	metadata: { name: "payments", namespace: "team" },
	spec: {
		selector: { istio: "egressgateway" },
		servers: [
			{ port: { number: 443, name: "tls", protocol: "TLS" }, hosts: [host], tls: { mode: "PASSTHROUGH" } },
		],
	},
};

/** An ordinary ingress Gateway. */
export const ingressGateway: IstioGateway = {
	apiVersion: "networking.istio.io/v1",
	kind: "Gateway",
	metadata: { name: "public", namespace: "team" },
	spec: {
		selector: { istio: "ingressgateway" },
		servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["shop.example.com"] }],
	},
};

/** Both hops of sidecar-style egress in one VirtualService. */
export const egressRoute: VirtualService = {
	apiVersion: "networking.istio.io/v1",
	kind: "VirtualService",
	metadata: { name: "payments", namespace: "team" },
	spec: {
		hosts: [host],
		gateways: ["mesh", "payments"],
		tls: [
			{
				match: [{ gateways: ["mesh"], port: 443, sniHosts: [host] }],
				route: [{ destination: { host: egressService, subset: "payments", port: { number: 443 } } }],
			},
			{
				match: [{ gateways: ["payments"], port: 443, sniHosts: [host] }],
				route: [{ destination: { host, port: { number: 443 } } }],
			},
		],
	},
};

/** An ingress route: one host, inside and outside the mesh, to a workload of the cluster. */
export const ingressRoute: VirtualService = {
	apiVersion: "networking.istio.io/v1",
	kind: "VirtualService",
	metadata: { name: "shop", namespace: "team" },
	spec: {
		hosts: ["shop.example.com"],
		gateways: ["mesh", "public"],
		http: [{ route: [{ destination: { host: "shop.team.svc.cluster.local" } }] }],
	},
};

/** The subset by which sidecar-style egress gives each external host its own settings on the way to the gateway. */
export const egressSubset: DestinationRule = {
	apiVersion: "networking.istio.io/v1",
	kind: "DestinationRule",
	metadata: { name: "payments", namespace: "team" },
	spec: { host: egressService, subsets: [{ name: "payments" }] },
};

/** TLS origination for an external host: the same with a waypoint. */
export const originationRule: DestinationRule = {
	apiVersion: "networking.istio.io/v1",
	kind: "DestinationRule",
	metadata: { name: "payments-tls", namespace: "team" },
	spec: { host, trafficPolicy: { tls: { mode: "SIMPLE", sni: host } } },
};

/** An external ServiceEntry that the routes below attach to. */
export const routedEntry: ServiceEntry = {
	apiVersion: "networking.istio.io/v1",
	kind: "ServiceEntry",
	metadata: { name: "payments", namespace: "team" },
	spec: { hosts: [host], ports: [{ number: 80, name: "http", protocol: "HTTP" }], resolution: "DNS" },
};

/** A Gateway of the Gateway API that serves as an egress gateway, as Istio's egress task writes it. */
export const egressListener: KubernetesGateway = {
	apiVersion: "gateway.networking.k8s.io/v1",
	kind: "Gateway",
	metadata: {
		name: "payments-egress",
		namespace: "team",
		annotations: { "networking.istio.io/service-type": "ClusterIP" },
	},
	spec: {
		gatewayClassName: "istio",
		listeners: [
			{
				name: "http",
				hostname: host,
				port: 80,
				protocol: "HTTP",
				allowedRoutes: { namespaces: { from: "Same" } },
			},
		],
	},
};

const entryParent = { group: "networking.istio.io", kind: "ServiceEntry", name: "payments" };
const hostBackend = { group: "networking.istio.io", kind: "Hostname", name: host, port: 443 };

/** A route from the mesh to an egress gateway's Service. */
export function steeringRoute(kind: string): GatewayRoute {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind,
		metadata: { name: "payments-through-gateway", namespace: "team" },
		spec: {
			parentRefs: [entryParent],
			...hostnamesOf(kind),
			rules: [{ backendRefs: [{ name: "payments-egress-istio", port: 80 }] }],
		},
	};
}

/** A route on a waypoint: from the ServiceEntry to another port of the same host. */
export function waypointRoute(kind: string): GatewayRoute {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind,
		metadata: { name: "payments", namespace: "team" },
		spec: { parentRefs: [entryParent], ...hostnamesOf(kind), rules: [{ backendRefs: [hostBackend] }] },
	};
}

/** The Gateway API wants the SNI of every TLSRoute. */
function hostnamesOf(kind: string): { readonly hostnames?: readonly string[] } {
	return kind === "TLSRoute" ? { hostnames: [host] } : {};
}
