import { setTimeout as sleep } from "node:timers/promises";
import type { Api, KubeObject } from "./api.ts";
import { expectSuccess } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";

/** What a namespace is created with. */
export interface NamespaceOptions {
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
}

/** Creates a namespace, or sets these labels and annotations on it. */
export async function createNamespace(
	plane: ControlPlane,
	name: string,
	{ labels = {}, annotations = {} }: NamespaceOptions = {},
): Promise<void> {
	await plane.api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels, annotations } });
}

/**
 * Deletes namespaces with everything in them, and waits until they are gone.
 *
 * There is no controller manager to do it, so this does its work: it deletes every collection, then finalizes.
 */
export async function deleteNamespaces(plane: ControlPlane, ...names: readonly string[]): Promise<void> {
	const kinds = await plane.api.kinds();
	const collections = kinds.filter(
		({ namespaced, verbs }) => namespaced && verbs.includes("deletecollection"),
	);
	await Promise.all(names.map((name) => deleteNamespace(plane.api, name, collections)));
}

async function deleteNamespace(
	api: Api,
	name: string,
	collections: Awaited<ReturnType<Api["kinds"]>>,
): Promise<void> {
	// First the namespace, so that istiod does not put its ConfigMap back into it.
	await api.delete("Namespace", undefined, name);
	await Promise.all(
		collections.map(async ({ group, versions, plural }) => {
			const root = group === "" ? `/api/${versions[0]}` : `/apis/${group}/${versions[0]}`;
			const path = `${root}/namespaces/${name}/${plural}`;
			expectSuccess(`DELETE ${path}`, await api.request("DELETE", path));
		}),
	);
	const body = { apiVersion: "v1", kind: "Namespace", metadata: { name }, spec: { finalizers: [] } };
	const answer = await api.request("PUT", `/api/v1/namespaces/${name}/finalize`, { body });
	if (answer.status !== 404) {
		expectSuccess(`finalize namespace ${name}`, answer);
	}
}

/** How a waypoint differs from the ordinary one: class istio-waypoint, HBONE on 15008, open to its own namespace. */
export interface WaypointOptions {
	readonly labels?: Readonly<Record<string, string>>;
	/** The listener's `allowedRoutes.namespaces`: `{ from: "All" }`. */
	readonly from?: object;
	/** `false`: no endpoint, so istiod calls it not ready. */
	readonly ready?: boolean;
}

/** Creates a waypoint and, unless it shall not be ready, waits until istiod calls it so. */
export async function createWaypoint(
	plane: ControlPlane,
	namespace: string,
	name: string,
	options: WaypointOptions = {},
): Promise<void> {
	await plane.api.apply({
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "Gateway",
		metadata: { namespace, name, labels: options.labels ?? {} },
		spec: {
			gatewayClassName: "istio-waypoint",
			listeners: [
				{
					name: "mesh",
					port: 15008,
					protocol: "HBONE",
					...(options.from === undefined ? {} : { allowedRoutes: { namespaces: options.from } }),
				},
			],
		},
	});
	if (options.ready !== false) {
		await makeWaypointReady(plane, namespace, name);
	}
}

/** Creates a waypoint and writes the status that istiod would write: for control planes without istiod. */
export async function createWaypointByHand(
	plane: ControlPlane,
	namespace: string,
	name: string,
	options: Omit<WaypointOptions, "ready"> = {},
): Promise<void> {
	await plane.api.apply({
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "GatewayClass",
		metadata: { name: "istio-waypoint" },
		spec: { controllerName: "istio.io/mesh-controller" },
	});
	await createWaypoint(plane, namespace, name, { ...options, ready: false });
	const path = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/gateways/${name}/status`;
	const status = { addresses: [{ type: "IPAddress", value: "10.96.10.20" }] };
	const answer = await plane.api.request("PATCH", path, {
		body: { status },
		contentType: "application/merge-patch+json",
	});
	expectSuccess(`write the status of waypoint ${namespace}/${name}`, answer);
}

/**
 * Creates a waypoint by hand in a namespace of its own, and ambient namespaces that are bound to it, each with these
 * annotations besides.
 * @param waypoint its namespace and name, as `istio-egress/egress`
 */
export async function createBoundNamespaces(
	plane: ControlPlane,
	waypoint: string,
	names: readonly string[],
	annotations: Readonly<Record<string, string>> = {},
): Promise<void> {
	const [namespace = "", name = ""] = waypoint.split("/");
	await createNamespace(plane, namespace);
	await createWaypointByHand(plane, namespace, name, { from: { from: "All" } });
	for (const team of names) {
		await createNamespace(plane, team, {
			labels: { "istio.io/dataplane-mode": "ambient" },
			annotations: { "egress.waymark.dev/waypoint": waypoint, ...annotations },
		});
	}
}

/** Gives a waypoint an endpoint and waits until its Gateway has an address: what istiod means by ready. */
export async function makeWaypointReady(plane: ControlPlane, namespace: string, name: string): Promise<void> {
	await plane.api.apply({
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: { namespace, name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
		addressType: "IPv4",
		endpoints: [{ addresses: ["10.244.0.5"], conditions: { ready: true } }],
		ports: [{ name: "mesh", port: 15008, protocol: "TCP" }],
	});
	const deadline = Date.now() + 20_000;
	for (;;) {
		const gateway = await plane.get("Gateway.gateway.networking.k8s.io", namespace, name);
		const status = gateway?.status as { addresses?: readonly unknown[] } | undefined;
		if ((status?.addresses?.length ?? 0) > 0) {
			return;
		}
		if (Date.now() > deadline) {
			const seen = JSON.stringify(gateway?.status);
			throw new Error(
				`Cannot make waypoint ${namespace}/${name} ready: no address after 20 s, status ${seen}`,
			);
		}
		await sleep(30);
	}
}

/** What a ServiceEntry differs in from a plain external HTTPS host with DNS resolution. */
export interface ServiceEntryOptions {
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
	/** Fields of the spec, on top of hosts, one TLS port 443, DNS and MESH_EXTERNAL. */
	readonly spec?: Readonly<Record<string, unknown>>;
}

/** Writes a ServiceEntry for one external host; it is not applied. */
export function serviceEntry(
	namespace: string,
	name: string,
	host: string,
	{ labels = {}, annotations = {}, spec = {} }: ServiceEntryOptions = {},
): KubeObject {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: { namespace, name, labels, annotations },
		spec: {
			hosts: [host],
			ports: [{ number: 443, name: "tls", protocol: "TLS" }],
			resolution: "DNS",
			location: "MESH_EXTERNAL",
			...spec,
		},
	};
}

/** The two labels that bind an object to a waypoint; only the first without a namespace. */
export function useWaypoint(name: string, namespace?: string): Readonly<Record<string, string>> {
	return {
		"istio.io/use-waypoint": name,
		...(namespace === undefined ? {} : { "istio.io/use-waypoint-namespace": namespace }),
	};
}
