import { setTimeout as sleep } from "node:timers/promises";
import type { Arbitrary } from "fast-check";
import { array, constant, constantFrom, oneof, record, sample, tuple } from "fast-check";
import { request as httpRequest } from "undici";
import { parseAddressRange, rangeContains } from "../../src/core/address-range.ts";
import { dumpConfig, waitForPush } from "./ads.ts";
import type { KubeObject } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";
import { inParallel } from "./generated-worlds.ts";
import { decodeAddress } from "./oracles.ts";
import { createNamespace, createWaypoint, serviceEntry, useWaypoint } from "./world.ts";

type Json = Readonly<Record<string, unknown>>;

/** What a developer writes; texts hold `@shop`, `@bank`, `@ok`, `@files`, `@evil`, `@ip` and `@block` for what is a world's own. */
interface Attempt {
	readonly apiVersion: string;
	readonly kind: string;
	readonly name: string;
	readonly metadata?: Json;
	readonly spec: Json;
}

/** The writes of one attack, in their order; a name that comes again is an update. */
export type AttackPlan = readonly Attempt[];

const rarely = <T>(...choices: readonly (readonly [number, T])[]): Arbitrary<T> =>
	oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: constant(value) })));

const pair = useWaypoint("egress", "bypass-egress");
const alias = "alias.@shop.svc.cluster.local";

const entryAttempt: Arbitrary<Attempt> = record({
	name: constantFrom("e0", "e1"),
	host: rarely(
		[6, "ok.@ok"],
		[1, "new.@ok"],
		[1, "*.@ok"],
		[1, "@evil"],
		[1, "@files"],
		[2, "relay.@shop.svc.cluster.local"],
		[1, alias],
		[1, "short"],
	),
	location: rarely<unknown>([3, "MESH_EXTERNAL"], [2, "MESH_INTERNAL"], [1, undefined]),
	resolution: rarely<unknown>([5, "DNS"], [2, "STATIC"], [2, "NONE"], [1, "DYNAMIC_DNS"]),
	endpoint: rarely<string | undefined>(
		[5, undefined],
		[2, alias],
		[1, "ok.@ok"],
		[1, "@evil"],
		[1, "@ip"],
		[1, "10.99.0.1"],
		[2, "@block:9"],
	),
	address: rarely<string | undefined>(
		[6, undefined],
		[1, "@ip"],
		[1, "@block:9"],
		[1, "@block:/64"],
		[1, "10.99.0.0/24"],
	),
	port: rarely<Json>(
		[6, { number: 443, name: "tls", protocol: "TLS" }],
		[3, { number: 80, name: "http", protocol: "HTTP" }],
		[1, { number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
		[1, { number: 443, name: "tls", protocol: "TLS", targetPort: 22 }],
		[1, { number: 22, name: "tcp", protocol: "TCP" }],
	),
	metadata: rarely<Json>(
		[6, {}],
		[2, { labels: pair }],
		[1, { labels: { "istio.io/use-waypoint": "none" } }],
		[1, { labels: { "istio.io/use-waypoint": "mine" } }],
		[1, { labels: { ...pair, "gateway.istio.io/managed": "istio.io-mesh-controller" } }],
		[1, { labels: { ...pair, "istio.io/rev": "default" } }],
		[
			1,
			{
				labels: { ...pair, "istio.io/use-waypoint-canary": "mine" },
				annotations: { "istio.io/use-waypoint-canary-weight": "100" },
			},
		],
	),
	selects: rarely([8, false], [1, true]),
}).map(({ name, host, location, resolution, endpoint, address, port, metadata, selects }) => ({
	apiVersion: "networking.istio.io/v1",
	kind: "ServiceEntry",
	name,
	metadata,
	spec: {
		hosts: [host],
		location,
		resolution: selects ? "STATIC" : resolution,
		ports: [port],
		...(selects ? { workloadSelector: { labels: { app: "x" } } } : {}),
		...(endpoint === undefined || selects ? {} : { endpoints: [{ address: endpoint }] }),
		...(address === undefined ? {} : { addresses: [address] }),
	},
}));

const machineAttempt: Arbitrary<Attempt> = tuple(
	constantFrom("@evil", "@ip", "@block:9", "10.99.0.1", "ok.@ok"),
	constantFrom<Json>({}, {}, { ports: { tls: 22 } }),
).map(([address, more]) => ({
	apiVersion: "networking.istio.io/v1",
	kind: "WorkloadEntry",
	name: "m0",
	spec: { address, labels: { app: "x" }, ...more },
}));

const serviceAttempt: Arbitrary<Attempt> = tuple(
	constantFrom("alias", "relay", "x"),
	rarely<Json>(
		[3, { type: "ExternalName", externalName: "@evil" }],
		[1, { type: "ExternalName", externalName: "@files" }],
		[3, { type: "ExternalName", externalName: "ok.@ok" }],
		[1, { type: "ExternalName", externalName: alias }],
		[2, { selector: { app: "x" }, ports: [{ name: "http", port: 80 }] }],
	),
	constantFrom<Json>({}, { labels: pair }),
).map(([name, spec, metadata]) => ({ apiVersion: "v1", kind: "Service", name, metadata, spec }));

const destination = constantFrom(
	"@files",
	"@evil",
	"ok.@ok",
	"api.@ok",
	alias,
	"istiod.istio-system.svc.cluster.local",
	"relay.@shop.svc.cluster.local",
);
const routedHost = constantFrom("api.@ok", "api.@ok", "ok.@ok", "x.@shop.svc.cluster.local");
const gateways = rarely<Json>(
	[4, {}],
	[1, { gateways: ["in"] }],
	[1, { gateways: ["mesh", "in"] }],
	[1, { gateways: ["@bank/in"] }],
);

const virtualServiceAttempt: Arbitrary<Attempt> = tuple(
	routedHost,
	destination,
	gateways,
	constantFrom("http", "mirror", "tls", "tcp", "rewrite"),
).map(([host, to, named, way]) => {
	const route = [{ destination: { host: to, port: { number: way === "tls" ? 443 : 80 } } }];
	const own = [{ destination: { host, port: { number: 80 } } }];
	const ways: Readonly<Record<string, Json>> = {
		http: { http: [{ route }] },
		rewrite: { http: [{ route, rewrite: { authority: to } }] },
		mirror: { http: [{ route: own, mirror: { host: to, port: { number: 80 } } }] },
		tls: { tls: [{ match: [{ sniHosts: [host] }], route }] },
		tcp: { tcp: [{ route }] },
	};
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "VirtualService",
		name: "v0",
		spec: { hosts: [host], ...named, ...ways[way] },
	};
});

const routeAttempt: Arbitrary<Attempt> = tuple(
	constantFrom("HTTPRoute", "HTTPRoute", "TLSRoute", "TCPRoute", "GRPCRoute"),
	constantFrom<Json>(
		{ group: "networking.istio.io", kind: "ServiceEntry", name: "api" },
		{ group: "networking.istio.io", kind: "ServiceEntry", name: "e0" },
		{ group: "", kind: "Service", name: "x", port: 80 },
		{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "front" },
	),
	constantFrom<Json>(
		{ group: "networking.istio.io", kind: "Hostname", name: "@files", port: 80 },
		{ group: "networking.istio.io", kind: "Hostname", name: "@evil", port: 443 },
		{ group: "networking.istio.io", kind: "Hostname", name: "api.@ok", port: 443 },
		{ group: "", kind: "Service", name: "alias", port: 80 },
		{ group: "", kind: "Service", name: "x", port: 80 },
	),
	constantFrom(false, false, true),
).map(([kind, parent, backend, mirrors]) => ({
	apiVersion: "gateway.networking.k8s.io/v1",
	kind,
	name: "r0",
	spec: {
		parentRefs: [parent],
		...(kind === "TLSRoute" ? { hostnames: ["api.@ok"] } : {}),
		rules: [
			mirrors && kind === "HTTPRoute"
				? {
						filters: [{ type: "RequestMirror", requestMirror: { backendRef: backend } }],
						backendRefs: [{ group: "networking.istio.io", kind: "Hostname", name: "api.@ok", port: 80 }],
					}
				: { backendRefs: [backend] },
		],
	},
}));

const gatewayAttempt: Arbitrary<Attempt> = oneof(
	constantFrom<Attempt>(
		{
			apiVersion: "gateway.networking.k8s.io/v1",
			kind: "Gateway",
			name: "front",
			spec: { gatewayClassName: "istio", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
		},
		{
			apiVersion: "gateway.networking.k8s.io/v1",
			kind: "Gateway",
			name: "mine",
			spec: {
				gatewayClassName: "istio-waypoint",
				listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
			},
		},
	),
	constantFrom("ingressgateway", "egressgateway", "proxy").map((istio) => ({
		apiVersion: "networking.istio.io/v1",
		kind: "Gateway",
		name: "in",
		spec: {
			selector: { istio },
			servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
		},
	})),
);

const ruleAttempt: Arbitrary<Attempt> = tuple(
	constantFrom("api.@ok", "ok.@ok"),
	constantFrom<Json>(
		{ tls: { mode: "SIMPLE", sni: "@evil" } },
		{ tls: { mode: "SIMPLE" } },
		{ tunnel: { targetHost: "@evil", targetPort: 443 } },
	),
).map(([host, trafficPolicy]) => ({
	apiVersion: "networking.istio.io/v1",
	kind: "DestinationRule",
	name: "d0",
	spec: { host, trafficPolicy },
}));

const namespaceAttempt: Arbitrary<Attempt> = constantFrom<Json>(
	{ "istio.io/rev": "default" },
	{ "istio.io/use-waypoint": "none" },
	{ "istio.io/dataplane-mode": "none" },
	{ "istio-injection": "enabled" },
).map((labels) => ({ apiVersion: "v1", kind: "Namespace", name: "@shop", metadata: { labels }, spec: {} }));

const attack: Arbitrary<AttackPlan> = array(
	oneof(
		{ weight: 6, arbitrary: entryAttempt },
		{ weight: 2, arbitrary: serviceAttempt },
		{ weight: 2, arbitrary: machineAttempt },
		{ weight: 2, arbitrary: virtualServiceAttempt },
		{ weight: 2, arbitrary: routeAttempt },
		{ weight: 1, arbitrary: gatewayAttempt },
		{ weight: 1, arbitrary: ruleAttempt },
		{ weight: 1, arbitrary: namespaceAttempt },
	),
	{ minLength: 2, maxLength: 5 },
);

/** The attacks of a seed, always the same ones. */
export function attackPlans(seed: number, count: number): readonly AttackPlan[] {
	return sample(attack, { seed, numRuns: count });
}

/** A governed namespace, its neighbour, and what the policy of the first forbids. */
interface World {
	readonly place: number;
	readonly plan: AttackPlan;
	readonly shop: string;
	readonly bank: string;
	readonly domain: string;
	readonly evil: string;
	readonly block: string;
}

function worldOf(plan: AttackPlan, index: number, offset: number): World {
	const place = offset + index;
	return {
		place,
		plan,
		shop: `bypass-${index}-shop`,
		bank: `bypass-${index}-bank`,
		domain: `w${place}.example`,
		evil: `evil-w${place}.example.org`,
		block: `2001:db8:${place.toString(16)}:`,
	};
}

function inWorld<T>(value: T, { shop, bank, domain, evil, block, place }: World): T {
	const text = JSON.stringify(value)
		.replaceAll("@shop", shop)
		.replaceAll("@files", `files.bank.${domain}`)
		.replaceAll("@bank", bank)
		.replaceAll("@ok", `shop.${domain}`)
		.replaceAll("@evil", evil)
		.replaceAll("@ip", `203.0.113.${place % 250}`)
		.replaceAll("@block", block);
	return JSON.parse(text) as T;
}

/** A write as it was answered. */
interface Written {
	readonly object: KubeObject;
	readonly admitted: boolean;
	readonly warnings: readonly string[];
	readonly answer: string;
}

/** The namespace of the shared waypoint, and of all worlds of a batch. */
export const bypassEgress = "bypass-egress";

/** Every namespace that a batch of so many worlds uses. */
export function bypassNamespaces(count: number): readonly string[] {
	return [
		bypassEgress,
		...Array.from({ length: count }, (_, index) => [`bypass-${index}-shop`, `bypass-${index}-bank`]).flat(),
	];
}

/** The objects that are there before the attack: what the policies of both namespaces allow. */
export async function createVictims(
	plane: ControlPlane,
	plans: readonly AttackPlan[],
	offset: number,
): Promise<void> {
	const labels = { "istio.io/dataplane-mode": "ambient" };
	await createNamespace(plane, bypassEgress);
	await createWaypoint(plane, bypassEgress, "egress", { from: { from: "All" } });
	await inParallel(
		plans.map((plan, index) => worldOf(plan, index, offset)),
		async ({ shop, bank, domain, block }) => {
			const policy = (hosts: string, more: Readonly<Record<string, string>>): object => ({
				labels,
				annotations: {
					"egress.waymark.dev/waypoint": `${bypassEgress}/egress`,
					"egress.waymark.dev/allowed-hosts": hosts,
					...more,
				},
			});
			const ports = { "egress.waymark.dev/allowed-ports": "443/TLS, 80/HTTP" };
			await createNamespace(plane, shop, policy(`*.shop.${domain}`, ports));
			await createNamespace(plane, bank, policy(`*.bank.${domain}`, {}));
			const spec = {
				ports: [
					{ number: 443, name: "tls", protocol: "TLS" },
					{ number: 80, name: "http", protocol: "HTTP" },
				],
			};
			await plane.api.apply(serviceEntry(shop, "api", `api.shop.${domain}`, { labels: pair, spec }));
			await plane.api.apply(serviceEntry(bank, "files", `files.bank.${domain}`, { labels: pair, spec }));
			const net = { ...spec, resolution: "NONE", addresses: [`${block}:/64`] };
			await plane.api.apply(serviceEntry(bank, "net", `net.bank.${domain}`, { labels: pair, spec: net }));
		},
	);
}

/** What a batch of attacks came to. */
export interface BypassResult {
	readonly written: number;
	readonly admitted: number;
	/** Ways past the policy that istiod serves, whether or not their author was warned. */
	readonly hits: number;
	/** Those of which nobody was warned, each with its steps. */
	readonly silent: readonly string[];
}

/** Writes what each attack has, in its order, and asks istiod afterwards what can be reached. */
export async function attackAll(
	plane: ControlPlane,
	plans: readonly AttackPlan[],
	offset: number,
): Promise<BypassResult> {
	const worlds = plans.map((plan, index) => worldOf(plan, index, offset));
	const written = new Map<World, Written[]>(worlds.map((world) => [world, []]));
	const most = Math.max(...plans.map((plan) => plan.length));
	// The older Gateway API of `npm run test:matrix` has no TCPRoute in its standard channel.
	const served = new Set((await plane.api.kinds()).map(({ kind }) => kind));
	for (let round = 0; round < most; round++) {
		await inParallel(worlds, async (world) => {
			const attempt = world.plan[round];
			if (attempt !== undefined && (attempt.kind !== "TCPRoute" || served.has("TCPRoute"))) {
				written.get(world)?.push(await write(plane, objectOf(attempt, world)));
			}
		});
		// What was written reaches the watch of whoever judges the next write.
		await sleep(150);
	}
	await waitForPush(plane, 60_000);
	const sight = await look(plane, worlds, written);
	const all = [...written.values()].flat();
	const hits = worlds.flatMap((world) => hitsOf(world, sight, written.get(world) ?? []));
	return {
		written: all.length,
		admitted: all.filter((each) => each.admitted).length,
		hits: hits.length,
		silent: hits.filter(({ isSilent }) => isSilent).map(({ text }) => text),
	};
}

function objectOf({ apiVersion, kind, name, metadata, spec }: Attempt, world: World): KubeObject {
	const place = kind === "Namespace" ? {} : { namespace: world.shop };
	const written = { apiVersion, kind, metadata: { ...metadata, ...place, name }, spec };
	return inWorld(written, world) as unknown as KubeObject;
}

async function write(plane: ControlPlane, object: KubeObject): Promise<Written> {
	const { kind, apiVersion, metadata } = object;
	const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[0]}` : "";
	const path = await plane.api.collectionPath(`${kind}${group}`, metadata.namespace);
	let answer =
		kind === "Namespace"
			? await plane.api.request("PATCH", `${path}/${metadata.name}`, {
					body: { metadata: { labels: metadata.labels } },
					contentType: "application/merge-patch+json",
				})
			: await plane.api.request("POST", path, { body: object });
	if (answer.status === 409) {
		const there = await plane.api.request("GET", `${path}/${metadata.name}`);
		const { resourceVersion } = (there.body as KubeObject).metadata as { readonly resourceVersion?: string };
		answer = await plane.api.request("PUT", `${path}/${metadata.name}`, {
			body: { ...object, metadata: { ...metadata, resourceVersion } },
		});
	}
	const { message = "" } = answer.body as { readonly message?: string };
	const admitted = answer.status === 200 || answer.status === 201;
	return {
		object,
		admitted,
		warnings: answer.warnings,
		answer: admitted ? "admitted" : message.slice(0, 160),
	};
}

/** A workload as ztunnels are sent it (`/debug/ambientz`). */
interface SeenWorkload {
	readonly name: string;
	readonly namespace: string;
	readonly addresses?: readonly string[];
	readonly hostname?: string;
	readonly waypoint?: unknown;
	/** The services that it serves, `NAMESPACE/HOST`. */
	readonly services?: Readonly<
		Record<
			string,
			{ readonly ports?: readonly { readonly servicePort?: number; readonly targetPort?: number }[] }
		>
	>;
}

/** What istiod says after all attacks. */
interface Sight {
	readonly services: Awaited<ReturnType<ControlPlane["istiod"]["ambientz"]>>;
	readonly workloads: readonly SeenWorkload[];
	/** For each filter chain of the waypoint, the hosts of the clusters to which it leads. */
	readonly chains: ReadonlyMap<string, ReadonlySet<string>>;
	/** The server names that the waypoint's clusters send, by the host of the cluster. */
	readonly sni: ReadonlyMap<string, ReadonlySet<string>>;
	/** The same for gateways, by namespace. */
	readonly gateways: ReadonlyMap<string, ReadonlySet<string>>;
	/** The ServiceEntries with resolution NONE, as `NAMESPACE/NAME`. */
	readonly unresolved: ReadonlySet<string>;
	/** Where aliases lead, by their full name. */
	readonly aliases: ReadonlyMap<string, string>;
}

async function look(
	plane: ControlPlane,
	worlds: readonly World[],
	written: ReadonlyMap<World, readonly Written[]>,
): Promise<Sight> {
	const response = await httpRequest(`${plane.istiod.httpUrl}/debug/ambientz`);
	const { workloads } = (await response.body.json()) as {
		readonly workloads: readonly SeenWorkload[] | null;
	};
	const dump = await dumpConfig(plane, {
		type: "waypoint",
		namespace: bypassEgress,
		name: "egress",
		labels: { "gateway.networking.k8s.io/gateway-name": "egress" },
	});
	const gateways = new Map<string, ReadonlySet<string>>();
	for (const world of worlds) {
		const kinds = (written.get(world) ?? []).filter(
			(each) => each.admitted && each.object.kind === "Gateway",
		);
		const hosts = new Set<string>();
		for (const { object } of kinds) {
			const { selector } = object.spec as { readonly selector?: Readonly<Record<string, string>> };
			const labels = selector ?? { "gateway.networking.k8s.io/gateway-name": object.metadata.name ?? "" };
			const name = selector === undefined ? `${object.metadata.name}-istio` : "gateway";
			const own = await dumpConfig(plane, { type: "router", namespace: world.shop, name, labels });
			for (const host of clusterHosts([own.get("ListenersConfigDump"), own.get("RoutesConfigDump")])) {
				hosts.add(host);
			}
		}
		gateways.set(world.shop, hosts);
	}
	const services = await plane.api.list("Service");
	const entries = await plane.api.list("ServiceEntry.networking.istio.io");
	return {
		services: await plane.istiod.ambientz(),
		workloads: workloads ?? [],
		chains: chainsOf(dump.get("ListenersConfigDump"), dump.get("RoutesConfigDump")),
		sni: serverNames(dump.get("ClustersConfigDump")),
		gateways,
		unresolved: new Set(
			entries
				.filter(({ spec }) => ((spec as { readonly resolution?: string }).resolution ?? "NONE") === "NONE")
				.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
		),
		aliases: new Map(
			services.flatMap(({ metadata, spec }) => {
				const { type, externalName = "" } = spec as {
					readonly type?: string;
					readonly externalName?: string;
				};
				return type === "ExternalName"
					? [[`${metadata.name}.${metadata.namespace}.svc.cluster.local`, externalName] as const]
					: [];
			}),
		),
	};
}

/** Every object inside a JSON value. */
function* objectsIn(value: unknown): Iterable<Json> {
	if (typeof value === "object" && value !== null) {
		if (!Array.isArray(value)) {
			yield value as Json;
		}
		for (const each of Object.values(value)) {
			yield* objectsIn(each);
		}
	}
}

/** The hosts of all clusters that a piece of configuration names: `inbound-vip|PORT||HOST`, `outbound|PORT|SUBSET|HOST`. */
function clusterHosts(value: unknown): ReadonlySet<string> {
	const hosts = new Set<string>();
	for (const { cluster } of objectsIn(value)) {
		const host = typeof cluster === "string" ? cluster.split("|")[3] : undefined;
		if (host !== undefined) {
			hosts.add(host);
		}
	}
	for (const { name } of objectsIn(value)) {
		const [kind, , , host] = typeof name === "string" ? name.split("|") : [];
		if (kind === "outbound" && host !== undefined) {
			hosts.add(host);
		}
	}
	return hosts;
}

function chainsOf(listeners: unknown, routes: unknown): ReadonlyMap<string, ReadonlySet<string>> {
	const byRoute = new Map<unknown, unknown>();
	for (const each of objectsIn(routes)) {
		if (each.virtualHosts !== undefined) {
			byRoute.set(each.name, each);
		}
	}
	const chains = new Map<string, ReadonlySet<string>>();
	for (const { filterChains } of objectsIn(listeners)) {
		for (const chain of (filterChains ?? []) as readonly Json[]) {
			const named = [...objectsIn(chain)].map(({ routeConfigName }) => byRoute.get(routeConfigName));
			chains.set(String(chain.name), clusterHosts([chain.filters, ...named]));
		}
	}
	return chains;
}

function serverNames(clusters: unknown): ReadonlyMap<string, ReadonlySet<string>> {
	const names = new Map<string, ReadonlySet<string>>();
	for (const each of objectsIn(clusters)) {
		const host = typeof each.name === "string" ? each.name.split("|")[3] : undefined;
		if (host !== undefined && each.transportSocket !== undefined) {
			const own = [...objectsIn(each.transportSocket)].flatMap(({ sni }) =>
				typeof sni === "string" ? [sni] : [],
			);
			names.set(host, new Set([...(names.get(host) ?? []), ...own]));
		}
	}
	return names;
}

interface Hit {
	readonly isSilent: boolean;
	readonly text: string;
}

function hitsOf(world: World, sight: Sight, written: readonly Written[]): readonly Hit[] {
	const found = new Map<string, readonly string[]>();
	for (const service of sight.services.filter(({ namespace }) => namespace === world.shop)) {
		serviceWays(service, world, sight, (what, kinds) => found.set(what, kinds));
	}
	for (const workload of sight.workloads) {
		for (const address of (workload.addresses ?? []).map(decodeAddress)) {
			if (workload.waypoint === undefined && isWithin(address, `${world.block}:/64`)) {
				found.set(`${address} of ${world.bank}/net is reached directly: ${workload.name} is a workload`, [
					"ServiceEntry",
					"WorkloadEntry",
				]);
			}
		}
	}
	for (const host of sight.gateways.get(world.shop) ?? []) {
		if (!host.endsWith(".svc.cluster.local")) {
			found.set(`${host} is reached through a gateway of ${world.shop}`, routeKinds);
		}
	}
	return [...found].map(([what, kinds]) => ({
		isSilent: !written.some(
			({ object, admitted, warnings }) => admitted && kinds.includes(object.kind) && warnings.length > 0,
		),
		text: [
			what,
			...written.map(
				({ object, answer, warnings }) => `${JSON.stringify(object)} → ${answer} ${warnings.join(" | ")}`,
			),
		].join("\n\t"),
	}));
}

const routeKinds = ["VirtualService", "Gateway", "HTTPRoute", "TLSRoute", "TCPRoute", "GRPCRoute"];
const entryKinds = ["ServiceEntry", "WorkloadEntry", "Service"];

/** Where a service of the governed namespace leads that its policy forbids, or past its waypoint. */
function serviceWays(
	service: Sight["services"][number],
	world: World,
	sight: Sight,
	say: (what: string, kinds: readonly string[]) => void,
): void {
	const { hostname, addresses, waypoint, namespace } = service;
	if (addresses.length === 0) {
		return;
	}
	const workloads = sight.workloads.filter(
		({ services }) => services?.[`${namespace}/${hostname}`] !== undefined,
	);
	const targets = [
		...workloads
			.flatMap((each) => [...(each.addresses ?? []).map(decodeAddress), each.hostname ?? ""])
			// A machine of the own network behind a selector is a workload of the mesh.
			.filter((target) => !(isSelected(workloads) && isPrivate(target))),
		// With resolution NONE a connection goes to the address that the client asked for.
		...(sight.unresolved.has(`${namespace}/${service.name}`)
			? addresses.filter((each) => !isAllocated(each))
			: []),
	]
		.map((target) => followAliases(target, sight))
		.filter((target) => target !== "" && isOutside(target));
	for (const target of targets) {
		if (!isAllowedTarget(target, world)) {
			say(`${target} is reached by ${hostname} through ${waypoint}`, entryKinds);
		}
		if (waypoint !== `${bypassEgress}/egress`) {
			say(`${target} is reached by ${hostname} through ${waypoint ?? "nothing"}`, entryKinds);
		}
	}
	const ports = workloads.flatMap(({ services }) => services?.[`${namespace}/${hostname}`]?.ports ?? []);
	for (const { targetPort = 0 } of targets.length === 0 ? [] : ports) {
		if (targetPort !== 443 && targetPort !== 80) {
			say(`port ${targetPort} is reached by ${hostname}`, entryKinds);
		}
	}
	routeWays(hostname, world, sight, say);
	for (const sni of sight.sni.get(hostname) ?? []) {
		if (isOutside(sni) && !isAllowedTarget(sni, world)) {
			say(`${hostname} is sent with the server name ${sni}`, ["DestinationRule"]);
		}
	}
}

/** Where routes for a host lead at the waypoint. */
function routeWays(
	hostname: string,
	world: World,
	sight: Sight,
	say: (what: string, kinds: readonly string[]) => void,
): void {
	for (const [chain, hosts] of sight.chains) {
		if (chain.split("|").at(-1) === hostname) {
			for (const host of hosts) {
				const target = followAliases(host, sight);
				if (host !== hostname && !isAllowedTarget(target, world) && !isOwnService(target, world)) {
					say(`${target} is reached by a route of ${hostname} (${chain})`, [...routeKinds, ...entryKinds]);
				}
			}
		}
	}
}

/** A private address behind an allowed host is the policy's to deny (limits.deniedAddresses): no list of hosts says so. */
function isAllowedTarget(target: string, { domain }: World): boolean {
	return target.endsWith(`.shop.${domain}`) || isPrivate(target);
}

function isPrivate(target: string): boolean {
	return target.startsWith("10.99.");
}

function isSelected(workloads: readonly SeenWorkload[]): boolean {
	return workloads.some(({ name }) => name === "m0");
}

function isOwnService(target: string, { shop }: World): boolean {
	return target.endsWith(`.${shop}.svc.cluster.local`);
}

function isOutside(target: string): boolean {
	return !target.endsWith(".svc.cluster.local") && target !== "BlackHoleCluster";
}

function isAllocated(address: string): boolean {
	return address.startsWith("240.240.") || address.startsWith("2001:2::");
}

function isWithin(address: string, block: string): boolean {
	const [outer, inner] = [parseAddressRange(block), parseAddressRange(address)];
	return outer !== undefined && inner !== undefined && rangeContains(outer, inner);
}

function followAliases(target: string, { aliases }: Sight): string {
	let name = target;
	for (let step = 0; step < 8; step++) {
		name = aliases.get(name) ?? name;
	}
	return name;
}
