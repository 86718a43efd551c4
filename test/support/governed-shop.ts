import type { AnyObject } from "../../src/core/kinds.ts";
import { egressWaypoint } from "../../src/rules/examples.ts";

/** An object of networking.istio.io in the namespace shop, or another one. */
export function networking(kind: string, name: string, spec: object, namespace = "shop"): AnyObject {
	return { apiVersion: "networking.istio.io/v1", kind, metadata: { name, namespace }, spec } as AnyObject;
}

/** The entry of one host with ports 80 and 443, bound to the shared waypoint. */
export function hostEntry(host: string, namespace = "shop", name = "api"): AnyObject {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: {
			name,
			namespace,
			labels: { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" },
		},
		spec: {
			hosts: [host],
			location: "MESH_EXTERNAL",
			resolution: "DNS",
			ports: [
				{ number: 80, name: "http", protocol: "HTTP" },
				{ number: 443, name: "tls", protocol: "TLS" },
			],
		},
	} as AnyObject;
}

/** A namespace in ambient with these annotations of ours. */
export function governed(name: string, annotations: Readonly<Record<string, string>>): AnyObject {
	return {
		apiVersion: "v1",
		kind: "Namespace",
		metadata: {
			name,
			labels: { "istio.io/dataplane-mode": "ambient", "kubernetes.io/metadata.name": name },
			annotations: Object.fromEntries(
				Object.entries({ waypoint: "istio-egress/egress", ...annotations }).map(([key, value]) => [
					`egress.waymark.dev/${key}`,
					value,
				]),
			),
		},
	};
}

/** Two teams that share a waypoint: shop may reach some hosts on 80 and 443, bank another one. */
export const twoTeams: readonly AnyObject[] = [
	{ apiVersion: "v1", kind: "Namespace", metadata: { name: "istio-egress" } },
	egressWaypoint,
	governed("shop", {
		"allowed-hosts": "api.shop.example, *.payments.example",
		"allowed-ports": "443/TLS, 80/HTTP",
	}),
	governed("bank", { "allowed-hosts": "files.bank.example" }),
	hostEntry("api.shop.example"),
	hostEntry("files.bank.example", "bank", "files"),
];
