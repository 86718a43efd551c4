import type { AnyObject } from "../../src/core/kinds.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { egressWaypoint } from "../../src/rules/examples.ts";
import { hostEntry, twoTeams } from "./governed-shop.ts";

const versions: Readonly<Record<string, string>> = {
	AuthorizationPolicy: "security.istio.io/v1",
	RequestAuthentication: "security.istio.io/v1",
	WasmPlugin: "extensions.istio.io/v1alpha1",
	TrafficExtension: "extensions.istio.io/v1alpha1",
	Telemetry: "telemetry.istio.io/v1",
	EnvoyFilter: "networking.istio.io/v1alpha3",
	BackendTLSPolicy: "gateway.networking.k8s.io/v1",
};

/** An object that may attach to something, with this spec. */
export function attachable(kind: string, spec: object, namespace = "shop", name = "own"): AnyObject {
	return { apiVersion: versions[kind] ?? "v1", kind, metadata: { name, namespace }, spec } as AnyObject;
}

/** The targetRefs of a ServiceEntry. */
export function toEntry(name: string, more: object = {}): object {
	return { targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name }], ...more };
}

/** The targetRefs of a Gateway. */
export function toGateway(name: string, more: object = {}): object {
	return { targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name }], ...more };
}

/** The targetRefs of every waypoint. */
export function toClass(name = "istio-waypoint", more: object = {}): object {
	return { targetRefs: [{ group: "gateway.networking.k8s.io", kind: "GatewayClass", name }], ...more };
}

/** The targetRefs of a Service. */
export function toService(name: string, more: object = {}): object {
	return { targetRefs: [{ group: "", kind: "Service", name }], ...more };
}

/** A cluster where the security team writes the policies. */
export const editors: SettingsFile = { policyEditors: { groups: ["security-team"] } };
/** One of the security team. */
export const editor: { readonly username: string; readonly groups: readonly string[] } = {
	username: "alice",
	groups: ["security-team"],
};
/** Somebody else. */
export const developer: { readonly username: string; readonly groups: readonly string[] } = {
	username: "mallory",
	groups: ["developers"],
};

/** A waypoint of shop's own, that no other namespace may attach to. */
export const ownWaypoint: AnyObject = {
	...egressWaypoint,
	metadata: { name: "own", namespace: "shop" },
	spec: {
		gatewayClassName: "istio-waypoint",
		listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
	},
} as AnyObject;

/** An entry of shop's at its own waypoint. */
export const ownEntry: AnyObject = {
	...hostEntry("own.payments.example"),
	metadata: { name: "local", namespace: "shop", labels: { "istio.io/use-waypoint": "own" } },
} as AnyObject;

/** An entry of shop's that takes no waypoint. */
export const directEntry: AnyObject = {
	...hostEntry("direct.payments.example"),
	metadata: { name: "direct", namespace: "shop", labels: { "istio.io/use-waypoint": "none" } },
} as AnyObject;

/** An entry of shop's whose requests the waypoint reads. */
export const requestEntry: AnyObject = {
	...hostEntry("http.payments.example", "shop", "http"),
	spec: {
		hosts: ["http.payments.example"],
		location: "MESH_EXTERNAL",
		resolution: "DNS",
		ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
	},
} as AnyObject;

/** An entry of shop's that passes as TCP. */
export const connectionEntry: AnyObject = {
	...hostEntry("tls.payments.example", "shop", "tls"),
	spec: {
		hosts: ["tls.payments.example"],
		location: "MESH_EXTERNAL",
		resolution: "DNS",
		ports: [{ number: 443, name: "tls", protocol: "TLS" }],
	},
} as AnyObject;

/** An entry of shop's for a Service of the cluster. */
export const insideEntry: AnyObject = {
	...hostEntry("orders.shop.svc.cluster.local", "shop", "inside"),
	spec: {
		hosts: ["relay.shop.svc.cluster.local"],
		location: "MESH_INTERNAL",
		resolution: "STATIC",
		ports: [{ number: 443, name: "tls", protocol: "TLS" }],
		workloadSelector: { labels: { app: "orders" } },
	},
} as AnyObject;

/** Two teams at a shared waypoint, and shop's other entries. */
export const attachmentWorld: readonly AnyObject[] = [
	...twoTeams,
	ownWaypoint,
	ownEntry,
	directEntry,
	requestEntry,
	connectionEntry,
	insideEntry,
];
