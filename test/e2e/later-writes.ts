import type { Arbitrary } from "fast-check";
import { array, constantFrom, oneof, tuple, uniqueArray } from "fast-check";
import type { KubeObject } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { NamedWorld } from "./generated-worlds.ts";

type Json = Readonly<Record<string, unknown>>;
type Spot = "a" | "b" | "w";

/** The kinds of what is written beside a world's entries, as the issue of a promise names them. */
export const writtenThings = [
	"route",
	"Gateway API route",
	"WorkloadEntry",
	"ExternalName Service",
	"Service",
	"entry",
	"canary",
	"waypoint",
	"Namespace",
] as const;

/** A write that comes before or after the entries of a world: a new object, or a change of one that stands. */
export interface LaterWrite {
	readonly what: (typeof writtenThings)[number];
	/** `KIND` or `KIND.GROUP`, as the API client takes it. */
	readonly kind: string;
	readonly spot: Spot;
	/** Of no account for a Namespace, which is that of the spot. */
	readonly name: string;
	/** A merge patch of what stands; else the object is created. */
	readonly isPatch: boolean;
	/** Texts hold `@` for the world's domain and `%` for the prefix of its namespaces. */
	readonly body: Json;
}

type Written = Omit<LaterWrite, "what">;

function created(kind: string, spot: Spot, name: string, body: Json): Written {
	return { kind, spot, name, isPatch: false, body };
}

function changed(kind: string, spot: Spot, name: string, body: Json): Written {
	return { kind, spot, name, isPatch: true, body };
}

const places = constantFrom<Spot>("a", "b");

const route: Arbitrary<LaterWrite> = tuple(
	places,
	constantFrom("h0.@", "h1.@"),
	constantFrom("h1.@", "h0.@", "other.@", "app.%-a.svc.cluster.local"),
).map(([spot, host, to]) => ({
	what: "route",
	...created("VirtualService.networking.istio.io", spot, "route", {
		spec: { hosts: [host], http: [{ route: [{ destination: { host: to, port: { number: 80 } } }] }] },
	}),
}));

const gatewayRoute: Arbitrary<LaterWrite> = tuple(places, constantFrom("h0.@", "other.@")).map(
	([spot, to]) => ({
		what: "Gateway API route",
		...created("HTTPRoute.gateway.networking.k8s.io", spot, "route", {
			spec: {
				parentRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "entry-0" }],
				rules: [{ backendRefs: [{ group: "networking.istio.io", kind: "Hostname", name: to, port: 80 }] }],
			},
		}),
	}),
);

const machine: Arbitrary<LaterWrite> = tuple(
	places,
	constantFrom("203.0.113.7", "203.0.113.77", "198.51.100.7", "10.9.9.9", "h0.@"),
).map(([spot, address]) => ({
	what: "WorkloadEntry",
	...created("WorkloadEntry.networking.istio.io", spot, "machine", {
		spec: { address, labels: { app: "x" } },
	}),
}));

const service: Arbitrary<LaterWrite> = tuple(
	places,
	constantFrom<Json>(
		{ type: "ExternalName", externalName: "h0.@" },
		{ type: "ExternalName", externalName: "other.@" },
		{ selector: { app: "x" }, ports: [{ name: "tls", port: 443 }] },
	),
).map(([spot, spec]) => ({
	what: spec.type === "ExternalName" ? "ExternalName Service" : "Service",
	...created("Service", spot, "alias", { spec }),
}));

const entry: Arbitrary<LaterWrite> = tuple(
	places,
	constantFrom<Json>(
		{ hosts: ["h0.@"], resolution: "DNS" },
		{ hosts: ["h1.@"], resolution: "DNS" },
		{ hosts: ["more.@"], resolution: "STATIC", endpoints: [{ address: "203.0.113.7" }] },
		{ hosts: ["more.@"], resolution: "NONE", addresses: ["203.0.113.0/25"] },
		{
			hosts: ["more.@"],
			location: "MESH_INTERNAL",
			resolution: "STATIC",
			workloadSelector: { labels: { app: "x" } },
		},
	),
).map(([spot, spec]) => ({
	what: "entry",
	...created("ServiceEntry.networking.istio.io", spot, "later", {
		spec: { ports: [{ number: 443, name: "tls", protocol: "TLS" }], ...spec },
	}),
}));

const canary: Arbitrary<LaterWrite> = constantFrom("own", "shared").map((name) => ({
	what: "canary",
	...changed("ServiceEntry.networking.istio.io", "a", "entry-0", {
		metadata: {
			labels: { "istio.io/use-waypoint-canary": name },
			annotations: { "istio.io/use-waypoint-canary-weight": "100" },
		},
	}),
}));

const waypoint: Arbitrary<LaterWrite> = tuple(
	constantFrom<readonly [Spot, string]>(["w", "shared"], ["w", "shared"], ["a", "own"]),
	constantFrom<Json>(
		{ metadata: { labels: { "istio.io/waypoint-for": "workload" } } },
		{ metadata: { labels: { "istio.io/waypoint-for": "service" } } },
		{ spec: { listeners: [{ name: "mesh", port: 15009, protocol: "HBONE" }] } },
		{
			spec: {
				listeners: [
					{
						name: "mesh",
						port: 15008,
						protocol: "HBONE",
						allowedRoutes: { namespaces: { from: "Same" } },
					},
				],
			},
		},
	),
).map(([[spot, name], body]) => ({
	what: "waypoint",
	...changed("Gateway.gateway.networking.k8s.io", spot, name, body),
}));

const namespace: Arbitrary<LaterWrite> = tuple(
	places,
	constantFrom<Json>(
		{ "istio.io/use-waypoint": "none" },
		{ "istio.io/use-waypoint": null },
		{ team: null },
		{ team: "y" },
		{ "istio.io/dataplane-mode": "none" },
		{ "istio.io/rev": "other" },
	),
).map(([spot, labels]) => ({
	what: "Namespace",
	...changed("Namespace", spot, "", { metadata: { labels } }),
}));

/** What stands before the entries of a world: routes, machines and aliases that nobody has judged. */
export const standingObjects: Arbitrary<readonly LaterWrite[]> = uniqueArray(
	oneof(route, gatewayRoute, machine, service).map((write) => ({ ...write, name: `standing-${write.name}` })),
	{ maxLength: 2, selector: ({ kind, spot }) => `${kind} ${spot}` },
);

/** What comes after the entries of a world, in its order: routes, machines, aliases, rivals, canaries, other waypoints and labels. */
export const laterWrites: Arbitrary<readonly LaterWrite[]> = array(
	oneof(route, gatewayRoute, machine, service, entry, canary, waypoint, namespace),
	{ minLength: 1, maxLength: 3 },
);

function typeOf(name: string): Pick<KubeObject, "apiVersion" | "kind"> {
	const dot = name.indexOf(".");
	return dot < 0
		? { apiVersion: "v1", kind: name }
		: { apiVersion: `${name.slice(dot + 1)}/v1`, kind: name.slice(0, dot) };
}

/** How a later write was answered; one that its author was warned of keeps nobody's promise. */
export interface LaterAnswer {
	readonly isAdmitted: boolean;
	readonly warnings: readonly string[];
	/** The write and its answer, to tell the steps of a broken promise. */
	readonly text: string;
}

/** Sends a later write of a world. */
export async function writeLater(
	plane: ControlPlane,
	{ prefix }: NamedWorld,
	write: LaterWrite,
): Promise<LaterAnswer> {
	const body = JSON.parse(
		JSON.stringify(write.body).replaceAll("@", `${prefix}.example.com`).replaceAll("%", prefix),
	) as Partial<KubeObject>;
	const home = `${prefix}-${write.spot}`;
	const isNamespace = write.kind === "Namespace";
	const path = await plane.api.collectionPath(write.kind, isNamespace ? undefined : home);
	const name = isNamespace ? home : write.name;
	const answer = write.isPatch
		? await plane.api.request("PATCH", `${path}/${name}`, {
				body,
				contentType: "application/merge-patch+json",
			})
		: await plane.api.request("POST", path, {
				body: { ...typeOf(write.kind), ...body, metadata: { ...body.metadata, name, namespace: home } },
			});
	const { message = "" } = answer.body as { readonly message?: string };
	const isAdmitted = answer.status === 200 || answer.status === 201;
	if (!isAdmitted && !/denied the request|failed calling webhook|not found|already exists/.test(message)) {
		throw new Error(`Cannot write ${write.what} ${home}/${name}: ${message}`);
	}
	return {
		isAdmitted,
		warnings: answer.warnings,
		text: `${write.kind} ${home}/${name} ${JSON.stringify(body)} → ${isAdmitted ? "admitted" : message.slice(0, 160)} ${answer.warnings.join(" | ")}`,
	};
}
