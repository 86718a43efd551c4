import type { KubernetesGateway, Namespace, Service, ServiceEntry } from "../core/kinds.ts";

/** A team's ambient namespace whose policy names a shared waypoint; the rules' examples live in it. */
export const teamNamespace: Namespace = {
	apiVersion: "v1",
	kind: "Namespace",
	metadata: {
		name: "team",
		labels: { "istio.io/dataplane-mode": "ambient", "kubernetes.io/metadata.name": "team" },
		annotations: { "egress.waymark.dev/waypoint": "istio-egress/egress" },
	},
};

/** The namespace of the shared waypoint. */
export const egressNamespace: Namespace = {
	apiVersion: "v1",
	kind: "Namespace",
	metadata: { name: "istio-egress", labels: { "kubernetes.io/metadata.name": "istio-egress" } },
};

/** A shared waypoint, ready, that every namespace may attach to. */
export const egressWaypoint: KubernetesGateway = {
	apiVersion: "gateway.networking.k8s.io/v1",
	kind: "Gateway",
	metadata: { name: "egress", namespace: "istio-egress" },
	spec: {
		gatewayClassName: "istio-waypoint",
		listeners: [
			{ name: "mesh", port: 15008, protocol: "HBONE", allowedRoutes: { namespaces: { from: "All" } } },
		],
	},
	status: { addresses: [{ type: "IPAddress", value: "10.96.10.20" }] },
};

/** A plain ServiceEntry as a developer writes it. */
export const plainEntry: ServiceEntry = {
	apiVersion: "networking.istio.io/v1",
	kind: "ServiceEntry",
	metadata: { name: "payments", namespace: "team" },
	spec: {
		hosts: ["api.payments.example.com"],
		ports: [{ number: 443, name: "tls", protocol: "TLS" }],
		location: "MESH_EXTERNAL",
		resolution: "DNS",
	},
};

/** The plain entry, bound to the shared waypoint. */
export const boundEntry: ServiceEntry = withLabels(plainEntry, {
	"istio.io/use-waypoint": "egress",
	"istio.io/use-waypoint-namespace": "istio-egress",
});

/** A Service of the cluster. */
export function exampleService(name: string, namespace: string, clusterIP: string): Service {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, namespace },
		spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80, name: "http" }] },
	};
}

/** An object with these labels added. */
export function withLabels<T extends { readonly metadata?: unknown }>(
	object: T,
	labels: Readonly<Record<string, string>>,
): T {
	const metadata = (object.metadata ?? {}) as { readonly labels?: Readonly<Record<string, string>> };
	return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, ...labels } } };
}

/** An object with other annotations. */
export function withAnnotations<T extends { readonly metadata?: unknown }>(
	object: T,
	annotations: Readonly<Record<string, string>>,
): T {
	return { ...object, metadata: { ...(object.metadata as object), annotations } };
}

/** An entry with parts of its spec replaced. */
export function withSpec(entry: ServiceEntry, spec: ServiceEntry["spec"]): ServiceEntry {
	return { ...entry, spec: { ...entry.spec, ...spec } };
}

/** A waypoint whose namespace selector the Gateway API accepts and istiod cannot parse. */
export const brokenSelectorWaypoint: KubernetesGateway = {
	...egressWaypoint,
	metadata: { name: "broken", namespace: "istio-egress" },
	spec: {
		gatewayClassName: "istio-waypoint",
		listeners: [
			{
				name: "mesh",
				port: 15008,
				protocol: "HBONE",
				allowedRoutes: {
					namespaces: {
						from: "Selector",
						selector: { matchExpressions: [{ key: "team", operator: "In", values: [] }] },
					},
				},
			},
		],
	},
};
