import { ClusterState } from "../../src/core/cluster-state.ts";
import type { AnyObject, AuthorizationPolicy, Kind, Resources, ServiceEntry } from "../../src/core/kinds.ts";
import { kindOfObject } from "../../src/core/kinds.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { parseSettings } from "../../src/core/settings.ts";

/** An ambient namespace, with annotations of ours by their names. */
export function namespace(name: string, annotations: Readonly<Record<string, string>> = {}): AnyObject {
	return {
		apiVersion: "v1",
		kind: "Namespace",
		metadata: {
			name,
			labels: { "istio.io/dataplane-mode": "ambient" },
			annotations: Object.fromEntries(
				Object.entries(annotations).map(([key, value]) => [`egress.waymark.dev/${key}`, value]),
			),
		},
	};
}

/** The waypoint istio-egress/egress, open to all namespaces. */
export const waypoint: AnyObject = {
	apiVersion: "gateway.networking.k8s.io/v1",
	kind: "Gateway",
	metadata: { name: "egress", namespace: "istio-egress" },
	spec: {
		gatewayClassName: "istio-waypoint",
		listeners: [
			{ name: "mesh", port: 15008, protocol: "HBONE", allowedRoutes: { namespaces: { from: "All" } } },
		],
	},
} as AnyObject;

/** An entry that is bound to istio-egress/egress, with TLS on 443 unless the spec says otherwise. */
export function entry(
	place: string,
	host: string,
	spec: ServiceEntry["spec"] = {},
	labels: Readonly<Record<string, string>> = {
		"istio.io/use-waypoint": "egress",
		"istio.io/use-waypoint-namespace": "istio-egress",
	},
): ServiceEntry {
	const [home = "", name = ""] = place.split("/");
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: { namespace: home, name, labels, creationTimestamp: "2026-01-01T00:00:00Z" },
		spec: {
			hosts: [host],
			location: "MESH_EXTERNAL",
			resolution: "DNS",
			ports: [{ number: 443, name: "tls", protocol: "TLS" }],
			...spec,
		},
	};
}

/** An AuthorizationPolicy on a ServiceEntry of its namespace, unless the spec targets something else. */
export function policy(
	place: string,
	target: string,
	spec: NonNullable<AuthorizationPolicy["spec"]>,
): AuthorizationPolicy {
	const [home = "", name = ""] = place.split("/");
	return {
		apiVersion: "security.istio.io/v1",
		kind: "AuthorizationPolicy",
		metadata: { namespace: home, name },
		spec: {
			...(spec.selector === undefined
				? { targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: target }] }
				: {}),
			...spec,
		},
	};
}

/** A world of manifests, as `lint` and `trace` read them. */
export function worldWith(objects: readonly AnyObject[], settings: SettingsFile = {}): ClusterState {
	const state = new ClusterState(parseSettings(settings).settings, { offline: true });
	for (const object of objects) {
		const kind = kindOfObject(object);
		if (kind === undefined) {
			throw new Error(`Cannot put ${object.kind} into a world`);
		}
		state.set(kind, object as Resources[Kind]);
	}
	return state;
}
