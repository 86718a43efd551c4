import { setTimeout as sleep } from "node:timers/promises";
import type { Arbitrary } from "fast-check";
import { array, constant, constantFrom, oneof, record, tuple, uniqueArray } from "fast-check";
import type { KubeObject } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";

/** The namespaces of a world: two teams, and the one of the shared waypoints. */
type Spot = "a" | "b" | "w";

interface Pair {
	readonly name: string;
	/** A namespace of the world, or a text that is taken as it is. */
	readonly namespace?: Spot | "" | "nowhere";
}

/** A canary waypoint and what is written for its weight. */
interface CanaryPlan {
	readonly waypoint: Pair;
	readonly weight?: string;
}

interface NamespacePlan {
	readonly waypoint?: Pair;
	readonly canary?: CanaryPlan;
	readonly labels: Readonly<Record<string, string>>;
}

interface WaypointPlan {
	readonly spot: Spot;
	readonly name: string;
	readonly className: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly listeners: readonly { readonly port: number; readonly protocol: string; readonly from?: object }[];
	readonly ready: boolean;
}

interface ServicePlan {
	readonly spot: Spot;
	readonly spec: Readonly<Record<string, unknown>>;
}

interface EntryPlan {
	readonly spot: Spot;
	readonly waypoint?: Pair;
	readonly canary?: CanaryPlan;
	readonly labels: Readonly<Record<string, string>>;
	readonly annotations: Readonly<Record<string, string>>;
	/** Host names with @ for what is the world's own, and `service` for the name of its Service. */
	readonly hosts: readonly string[];
	readonly spec: Readonly<Record<string, unknown>>;
}

/** A small cluster in namespaces of its own; each later entry is younger than the one before. */
export interface WorldPlan {
	readonly namespaces: Readonly<Record<Spot, NamespacePlan>>;
	readonly waypoints: readonly WaypointPlan[];
	readonly services: readonly ServicePlan[];
	readonly entries: readonly EntryPlan[];
}

const weighted = <T>(...choices: readonly (readonly [number, T])[]): Arbitrary<T> =>
	oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: constant(value) })));

const pair: Arbitrary<Pair | undefined> = weighted<Pair | undefined>(
	[9, { name: "shared", namespace: "w" }],
	[2, { name: "shared" }],
	[2, { name: "own" }],
	[1, { name: "own", namespace: "a" }],
	[1, { name: "none" }],
	[1, { name: "" }],
	[1, { name: "None" }],
	[1, { name: "absent" }],
	[1, { name: "shared", namespace: "" }],
	[1, { name: "shared", namespace: "nowhere" }],
	[4, undefined],
);

const visibility: Arbitrary<Readonly<Record<string, string>>> = weighted<Readonly<Record<string, string>>>(
	[12, {}],
	[1, { visibility: "namespace" }],
	[1, { visibility: "none" }],
);

const canary: Arbitrary<CanaryPlan | undefined> = weighted<CanaryPlan | undefined>(
	[14, undefined],
	[2, { waypoint: { name: "own" }, weight: "30" }],
	[2, { waypoint: { name: "own", namespace: "a" }, weight: "100" }],
	[2, { waypoint: { name: "shared", namespace: "w" }, weight: "5" }],
	[1, { waypoint: { name: "own", namespace: "a" } }],
	[1, { waypoint: { name: "own" }, weight: "101" }],
	[1, { waypoint: { name: "absent" }, weight: "50" }],
	[1, { waypoint: { name: "none" }, weight: "50" }],
);

const namespacePlan: Arbitrary<NamespacePlan> = tuple(
	pair,
	canary,
	visibility,
	constantFrom({}, { team: "x" }),
).map(([waypoint, second, seen, team]) => ({
	...(waypoint === undefined ? {} : { waypoint }),
	...(second === undefined ? {} : { canary: second }),
	labels: { "istio.io/dataplane-mode": "ambient", ...seen, ...team },
}));

const from: Arbitrary<object | undefined> = weighted<object | undefined>(
	[9, { from: "All" }],
	[1, { from: "Same" }],
	[1, undefined],
	[2, { from: "Selector", selector: { matchLabels: { team: "x" } } }],
	[1, { from: "Selector", selector: {} }],
	[
		1,
		{ from: "Selector", selector: { matchExpressions: [{ key: "team", operator: "NotIn", values: ["x"] }] } },
	],
	[
		1,
		{
			from: "Selector",
			selector: { matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "Exists" }] },
		},
	],
	[1, { from: "Selector" }],
);

const listener = tuple(
	weighted([20, 15008], [1, 15009]),
	weighted([20, "HBONE"], [1, "hbone"], [1, "TCP"]),
	from,
).map(([port, protocol, namespaces]) => ({
	port,
	protocol,
	...(namespaces === undefined ? {} : { from: namespaces }),
}));

const waypointPlan = (spot: Spot, name: string): Arbitrary<WaypointPlan> =>
	record({
		spot: constant(spot),
		name: constant(name),
		className: weighted([9, "istio-waypoint"], [1, "istio"]),
		labels: weighted<Readonly<Record<string, string>>>(
			[14, {}],
			[1, { "istio.io/waypoint-for": "all" }],
			[1, { "istio.io/waypoint-for": "service" }],
			[1, { "istio.io/waypoint-for": "workload" }],
			[1, { "istio.io/waypoint-for": "none" }],
			[1, { "istio.io/waypoint-for": "" }],
			[1, { "istio.io/rev": "default" }],
			[1, { "istio.io/rev": "other" }],
		),
		listeners: tuple(listener),
		ready: weighted([11, true], [1, false]),
	});

const hosts: Arbitrary<readonly string[]> = uniqueArray(
	weighted(
		[6, "h0.@"],
		[4, "h1.@"],
		[1, "H0.@"],
		[1, "h0.@."],
		[3, "*.@"],
		[1, "*.h0.@"],
		[1, "*-x.@"],
		[2, "service"],
		[1, "short"],
	),
	{ minLength: 1, maxLength: 3 },
);

const spec: Arbitrary<Readonly<Record<string, unknown>>> = tuple(
	weighted<unknown>(
		[6, "DNS"],
		[2, "NONE"],
		[2, undefined],
		[2, "STATIC"],
		[1, "DNS_ROUND_ROBIN"],
		[3, "DYNAMIC_DNS"],
	),
	weighted<unknown>(
		[8, undefined],
		[1, []],
		[2, ["203.0.113.7"]],
		[1, ["203.0.113.0/24", "2001:db8::1"]],
		[1, ["::ffff:203.0.113.9", "fe80::1%eth0"]],
		[1, ["203.0.113.9/24"]],
		[1, ["not an address"]],
		[1, ["fe80::1%a/b/c"]],
	),
	weighted<unknown>([5, undefined], [2, "MESH_EXTERNAL"], [1, "MESH_INTERNAL"]),
	weighted<unknown>(
		[5, [{ number: 443, name: "tls", protocol: "TLS" }]],
		[3, [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }]],
		[1, [{ number: 53, name: "dns", protocol: "UDP" }]],
		[1, undefined],
	),
	weighted<unknown>([6, undefined], [1, ["."]], [1, ["*"]], [1, ["~"]]),
).map(([resolution, addresses, location, ports, exportTo]) => {
	const isBlock =
		JSON.stringify(addresses ?? "").includes("/") &&
		!["NONE", "STATIC", undefined].includes(resolution as string);
	return {
		resolution,
		...(isBlock ? {} : { addresses }),
		location,
		ports,
		exportTo,
		...(resolution === "STATIC" ? { endpoints: [{ address: "198.51.100.7" }] } : {}),
	};
});

const entryPlan: Arbitrary<EntryPlan> = tuple(
	constantFrom<Spot>("a", "a", "b"),
	pair,
	canary,
	weighted<Readonly<Record<string, string>>>(
		[14, {}],
		[1, { "networking.istio.io/enable-autoallocate-ip": "false" }],
		[1, { "networking.istio.io/enable-autoallocate-ip": "False" }],
		[1, { "networking.istio.io/enable-autoallocate-ip": "no" }],
		[1, { "istio.io/rev": "other" }],
		[1, { "istio.io/rev": "" }],
		[1, { "istio.io/rev": "default" }],
		[1, { "gateway.istio.io/managed": "istio.io-mesh-controller" }],
		[1, { "gateway.istio.io/managed": "istio.io-gateway-controller" }],
	),
	weighted<Readonly<Record<string, string>>>(
		[9, {}],
		[1, { "istio.io/connect-strategy": "RACE_FIRST_TCP_CONNECT" }],
	),
	hosts,
	spec,
).map(([spot, waypoint, second, labels, annotations, named, fields]) => ({
	spot,
	...(waypoint === undefined ? {} : { waypoint }),
	...(second === undefined ? {} : { canary: second }),
	labels,
	annotations,
	hosts: named,
	spec: fields,
}));

/** Worlds with waypoints of every kind, and entries that compete for hosts. */
export const worldPlan: Arbitrary<WorldPlan> = record({
	namespaces: record({ a: namespacePlan, b: namespacePlan, w: constant({ labels: {} }) }),
	waypoints: oneof(
		tuple(waypointPlan("w", "shared")),
		tuple(waypointPlan("w", "shared"), waypointPlan("a", "own")),
		tuple(waypointPlan("a", "own")),
	),
	services: array(
		tuple(
			constantFrom<Spot>("a", "b"),
			constantFrom<Readonly<Record<string, unknown>>>(
				{ ports: [{ port: 80 }] },
				{ ports: [{ port: 80 }], clusterIP: "None" },
				{ type: "ExternalName", externalName: "www.example.com" },
			),
		).map(([spot, fields]) => ({ spot, spec: fields })),
		{ maxLength: 1 },
	),
	entries: array(entryPlan, { minLength: 1, maxLength: 3 }),
});

/** The same world with waypoints that serve everybody, and with entries as developers write them. */
export function calmed(plan: WorldPlan): WorldPlan {
	const calmNamespace = ({ labels, ...rest }: NamespacePlan): NamespacePlan => ({
		...rest,
		labels: {
			"istio.io/dataplane-mode": "ambient",
			...(labels.team === undefined ? {} : { team: labels.team }),
		},
	});
	return {
		...plan,
		namespaces: {
			a: calmNamespace(plan.namespaces.a),
			b: calmNamespace(plan.namespaces.b),
			w: { labels: {} },
		},
		waypoints: plan.waypoints.map((waypoint) => ({
			...waypoint,
			className: "istio-waypoint",
			labels: {},
			ready: true,
			listeners: [{ port: 15008, protocol: "HBONE", from: { from: "All" } }],
		})),
		entries: plan.entries.map(({ spot, hosts: written, spec: fields }) => ({
			spot,
			labels: {},
			annotations: {},
			hosts: written.filter((host) => host !== "service" && host !== "short").slice(0, 2),
			spec: calmSpec(fields, written.slice(0, 2)),
		})),
	};
}

function calmSpec(
	fields: Readonly<Record<string, unknown>>,
	written: readonly string[],
): Readonly<Record<string, unknown>> {
	const isWild = written.some((host) => host.startsWith("*"));
	const hasAddresses = fields.resolution === "NONE" && fields.addresses !== undefined;
	const ports = JSON.stringify(fields.ports ?? "UDP").includes("UDP")
		? [{ number: 443, name: "tls", protocol: "TLS" }]
		: fields.ports;
	return {
		...fields,
		addresses: hasAddresses ? fields.addresses : undefined,
		resolution: isWild
			? "DYNAMIC_DNS"
			: hasAddresses || fields.endpoints !== undefined
				? fields.resolution
				: "DNS",
		...(isWild ? { endpoints: undefined, addresses: undefined } : {}),
		ports: isWild ? [{ number: 80, name: "http", protocol: "HTTP" }] : ports,
		exportTo: undefined,
	};
}

/** A plan with the prefix of its names: nothing of it is shared with another world. */
export interface NamedWorld {
	readonly prefix: string;
	readonly plan: WorldPlan;
}

/** The namespaces of a world. */
export function namespacesOf({ prefix }: NamedWorld): readonly string[] {
	return (["a", "b", "w"] as const).map((spot) => `${prefix}-${spot}`);
}

function pairLabels(
	prefix: string,
	waypoint: Pair | undefined,
	label = "istio.io/use-waypoint",
): Readonly<Record<string, string>> {
	if (waypoint === undefined) {
		return {};
	}
	const { name, namespace } = waypoint;
	const real =
		namespace === "a" || namespace === "b" || namespace === "w" ? `${prefix}-${namespace}` : namespace;
	return { [label]: name, ...(real === undefined ? {} : { [`${label}-namespace`]: real }) };
}

function canaryMetadata(
	prefix: string,
	plan: CanaryPlan | undefined,
): {
	readonly labels: Readonly<Record<string, string>>;
	readonly annotations: Readonly<Record<string, string>>;
} {
	return {
		labels: pairLabels(prefix, plan?.waypoint, "istio.io/use-waypoint-canary"),
		annotations: plan?.weight === undefined ? {} : { "istio.io/use-waypoint-canary-weight": plan.weight },
	};
}

/** The entry of a round, as its author would write it; undefined when the world has fewer. */
export function entryOf({ prefix, plan }: NamedWorld, round: number): KubeObject | undefined {
	const entry = plan.entries[round];
	if (entry === undefined) {
		return undefined;
	}
	const second = canaryMetadata(prefix, entry.canary);
	const service = plan.services[0];
	const serviceHost = `app.${prefix}-${service?.spot ?? "a"}.svc.cluster.local`;
	const written = entry.hosts.map((host) =>
		host === "service"
			? serviceHost
			: host === "short"
				? `short-${prefix}`
				: host.replace("@", `${prefix}.example.com`),
	);
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: {
			namespace: `${prefix}-${entry.spot}`,
			name: `entry-${round}`,
			labels: { ...pairLabels(prefix, entry.waypoint), ...second.labels, ...entry.labels },
			annotations: { ...second.annotations, ...entry.annotations },
		},
		spec: JSON.parse(JSON.stringify({ hosts: written, ...entry.spec })) as object,
	};
}

/** Creates everything of the worlds but their entries, and waits until the waypoints that shall be ready are. */
export async function createSurroundings(
	plane: ControlPlane,
	worlds: readonly NamedWorld[],
	annotations: (world: NamedWorld) => Readonly<Record<string, string>> = () => ({}),
): Promise<void> {
	await inParallel(worlds, async (world) => {
		const { prefix, plan } = world;
		for (const spot of ["a", "b", "w"] as const) {
			const { labels, waypoint, canary: planned } = plan.namespaces[spot];
			const second = canaryMetadata(prefix, planned);
			await plane.api.apply({
				apiVersion: "v1",
				kind: "Namespace",
				metadata: {
					name: `${prefix}-${spot}`,
					labels: { ...labels, ...pairLabels(prefix, waypoint), ...second.labels },
					annotations: { ...second.annotations, ...annotations(world) },
				},
			});
		}
		for (const { spot, spec: fields } of plan.services) {
			await plane.api.apply({
				apiVersion: "v1",
				kind: "Service",
				metadata: { namespace: `${prefix}-${spot}`, name: "app" },
				spec: fields,
			});
		}
		for (const waypoint of plan.waypoints) {
			await createGateway(plane, prefix, waypoint);
		}
	});
	const wanted = worlds.flatMap(({ prefix, plan }) =>
		plan.waypoints.flatMap(({ spot, name, ready, className, labels }) =>
			ready && className === "istio-waypoint" && labels["istio.io/rev"] !== "other"
				? [`${prefix}-${spot}/${name}`]
				: [],
		),
	);
	await untilAddressed(plane, wanted);
}

async function createGateway(plane: ControlPlane, prefix: string, waypoint: WaypointPlan): Promise<void> {
	const namespace = `${prefix}-${waypoint.spot}`;
	await plane.api.apply({
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "Gateway",
		metadata: { namespace, name: waypoint.name, labels: waypoint.labels },
		spec: {
			gatewayClassName: waypoint.className,
			listeners: waypoint.listeners.map(({ port, protocol, from: namespaces }, index) => ({
				// The Service takes its port names from here, and the EndpointSlice must agree.
				name: index === 0 ? "mesh" : `mesh-${index}`,
				port,
				protocol,
				...(namespaces === undefined ? {} : { allowedRoutes: { namespaces } }),
			})),
		},
	});
	if (waypoint.ready) {
		await plane.api.apply({
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: {
				namespace,
				name: `${waypoint.name}-1`,
				labels: { "kubernetes.io/service-name": waypoint.name },
			},
			addressType: "IPv4",
			endpoints: [{ addresses: ["10.244.0.5"], conditions: { ready: true } }],
			ports: [{ name: "mesh", port: 15008, protocol: "TCP" }],
		});
	}
}

async function untilAddressed(plane: ControlPlane, wanted: readonly string[]): Promise<void> {
	let missing = new Set(wanted);
	let patience = 10;
	while (missing.size > 0 && patience > 0) {
		await sleep(500);
		const gateways = await plane.api.list("Gateway.gateway.networking.k8s.io");
		const addressed = gateways.filter(({ status }) => {
			const { addresses } = (status ?? {}) as { readonly addresses?: readonly unknown[] };
			return (addresses?.length ?? 0) > 0;
		});
		const left = missing.difference(
			new Set(addressed.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)),
		);
		// Some never are: what the Gateway says in the end is what both sides go by.
		patience = left.size < missing.size ? 10 : patience - 1;
		missing = left;
	}
}

/** Most entries of a world. */
export const rounds = 3;

/** Waits until the next entries are younger: timestamps have a grain of one second. */
export async function nextSecond(): Promise<void> {
	await sleep(1100);
}

/** What a world leaves in its namespaces: the rest is a ConfigMap of istiod's. */
const leftovers = [
	"ServiceEntry.networking.istio.io",
	"WorkloadEntry.networking.istio.io",
	"VirtualService.networking.istio.io",
	"HTTPRoute.gateway.networking.k8s.io",
	"Gateway.gateway.networking.k8s.io",
	"EndpointSlice.discovery.k8s.io",
	"Service",
	"Deployment.apps",
	"HorizontalPodAutoscaler.autoscaling",
];

/** Empties worlds; their namespaces stay, for a control plane of its own that is stopped soon. */
export async function deleteWorlds(plane: ControlPlane, worlds: readonly NamedWorld[]): Promise<void> {
	await inParallel(worlds.flatMap(namespacesOf), async (namespace) => {
		for (const kind of leftovers) {
			await plane.api.request("DELETE", await plane.api.collectionPath(kind, namespace));
		}
	});
}

/** Does something with each item, twelve at a time. */
export async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
	const queue = [...items];
	const work = async (): Promise<void> => {
		for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
			await act(item);
		}
	};
	await Promise.all(Array.from({ length: 12 }, work));
}
