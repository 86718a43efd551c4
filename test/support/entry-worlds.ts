import type { Arbitrary } from "fast-check";
import { array, constant, constantFrom, oneof, record, tuple, uniqueArray } from "fast-check";
import type {
	AnyObject,
	BackendTlsPolicy,
	DestinationRule,
	KubernetesGateway,
	ServiceEntry,
} from "../../src/core/kinds.ts";
import type { MeshFacts } from "../../src/core/mesh.ts";
import {
	boundEntry,
	brokenSelectorWaypoint,
	egressNamespace,
	egressWaypoint,
	exampleService,
	teamNamespace,
} from "../../src/rules/examples.ts";

/** The first value five times out of six, else another one. */
function mostly<T>(usual: T, ...others: readonly T[]): Arbitrary<T> {
	return oneof({ arbitrary: constant(usual), weight: 5 }, { arbitrary: constantFrom(...others), weight: 1 });
}

const waypointLabels: Arbitrary<Readonly<Record<string, string>>> = mostly<Readonly<Record<string, string>>>(
	{ "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" },
	{},
	{ "istio.io/use-waypoint": "egress" },
	{ "istio.io/use-waypoint-namespace": "istio-egress" },
	{ "istio.io/use-waypoint": "other", "istio.io/use-waypoint-namespace": "istio-egress" },
	{ "istio.io/use-waypoint": "none" },
	{ "istio.io/use-waypoint": "None" },
	{ "istio.io/use-waypoint": "Egress", "istio.io/use-waypoint-namespace": "istio.egress" },
);
const oddLabels: Arbitrary<Readonly<Record<string, string>>> = mostly<Readonly<Record<string, string>>>(
	{ app: "payments" },
	{ "istio.io/rev": "canary" },
	{ "istio.io/use-waypoint-canary": "egress" },
	{ "istio.io/ingress-use-waypoint": "yes" },
	{ "gateway.istio.io/managed": "istio.io-mesh-controller" },
	{ "networking.istio.io/enable-autoallocate-ip": "false" },
);
const annotations: Arbitrary<Readonly<Record<string, string>>> = mostly<Readonly<Record<string, string>>>(
	{ description: "x" },
	{ "istio.io/dry-run": "true" },
	{ "internal.istio.io/parents": "x" },
	{ "istio.io/connect-strategy": "RACE_FIRST_TCP_CONNECT" },
	{ "networking.istio.io/traffic-distribution": "PreferClose" },
);
const host: Arbitrary<string> = constantFrom(
	"api.payments.example.com",
	"www.example.com",
	"api.example.com",
	"a.b.c.example.net",
	"x.co.uk",
	"*.example.com",
	"API.example.com",
	"api.example.com.",
	"api",
	"api.localhost",
	"api.team.svc",
	"api.team.svc.cluster.local",
	"api.mesh.internal",
	"a.clusterset.local",
	"10.0.0.1",
	"a.12",
	"a_b.example.com",
	`${"a".repeat(63)}.com`,
	`${"a".repeat(64)}.com`,
	`${"a.".repeat(126)}com`,
	`${"a.".repeat(127)}com`,
	"ünicode.example.com",
);
const port: Arbitrary<Readonly<Record<string, unknown>>> = record(
	{
		number: mostly<unknown>(443, 80, 0, 8443, 65536, 443.5),
		name: mostly<unknown>("tls", "http", "a_b", "x".repeat(64), ""),
		protocol: mostly<unknown>("TLS", "HTTP", "HTTPS", "GRPC", "HTTP2", "TCP", "UDP", "tls", "MONGO", "X", ""),
		targetPort: mostly<unknown>(null, 443, 8443, 0, 70000),
	},
	{ requiredKeys: ["number", "name", "protocol"] },
);
const spec = record(
	{
		hosts: uniqueArray(host, { maxLength: 2 }),
		ports: oneof(
			{
				arbitrary: mostly("tls", "t.ls").map((name) => [{ number: 443, name, protocol: "TLS" }]),
				weight: 2,
			},
			{ arbitrary: array(port, { maxLength: 2 }), weight: 1 },
		),
		resolution: mostly<unknown>("DNS", "NONE", "STATIC", "DYNAMIC_DNS", "DNS_ROUND_ROBIN", null, "X"),
		location: mostly<unknown>("MESH_EXTERNAL", "MESH_INTERNAL", null, "X"),
		addresses: mostly<unknown>([], ["203.0.113.7"], ["203.0.113.0/24"], null),
		endpoints: mostly<unknown>(
			null,
			[],
			[{ address: "10.1.2.3" }],
			[{ address: "10.1.2.3", ports: { tls: 8443 } }],
			[{ address: "api.team.svc" }],
			[{ address: "www.example.org" }],
			[{ address: "istio-egressgateway.istio-system.svc.cluster.local" }],
			[{ labels: { istio: "egressgateway" } }],
		),
		exportTo: mostly<unknown>([], ["."], [".", "."], null),
		subjectAltNames: mostly<unknown>([], ["a"], null),
		workloadSelector: mostly<unknown>(
			null,
			{ labels: { app: "x" } },
			{ labels: { istio: "egressgateway" } },
			{},
		),
	},
	{ requiredKeys: ["hosts", "ports", "resolution"] },
);

/** Entries that are plain or nearly so. */
export const nearlyPlain: Arbitrary<ServiceEntry> = record({
	name: mostly("payments", "Payments", "a..b", `${"x.".repeat(126)}xx`),
	labels: tuple(waypointLabels, oddLabels).map(([one, other]) => ({ ...one, ...other })),
	annotations,
	generation: mostly<number>(1, 1.5),
	spec,
}).map(
	({ spec: made, ...metadata }) =>
		({ ...boundEntry, metadata: { ...metadata, namespace: "team" }, spec: made }) as ServiceEntry,
);

const { listeners } = egressWaypoint.spec ?? {};
const waypoint: Arbitrary<KubernetesGateway | undefined> = mostly<KubernetesGateway | undefined>(
	egressWaypoint,
	undefined,
	{ ...egressWaypoint, status: {} },
	{ ...egressWaypoint, status: null, spec: { ...egressWaypoint.spec, addresses: [{ type: "Hostname" }] } },
	{ ...egressWaypoint, status: { addresses: [{ type: "IPAddress", value: "no address" }] } },
	{ ...egressWaypoint, spec: { gatewayClassName: "istio", listeners: listeners ?? [] } },
	{ ...egressWaypoint, spec: { gatewayClassName: "unheard-of", listeners: listeners ?? [] } },
	{ ...egressWaypoint, spec: { gatewayClassName: "istio-waypoint", listeners: [] } },
	{ ...brokenSelectorWaypoint, metadata: { name: "egress", namespace: "istio-egress" } },
	{
		...egressWaypoint,
		metadata: { ...egressWaypoint.metadata, labels: { "istio.io/waypoint-for": "workload" } },
	},
);
const policy: Arbitrary<Readonly<Record<string, string>>> = mostly<Readonly<Record<string, string>>>(
	{ waypoint: "istio-egress/egress" },
	{},
	{ waypoint: "none" },
	{ waypoint: "istio-egress/other" },
	{ waypoint: "not / a waypoint" },
	{ waypoint: "istio-egress/egress", "allowed-hosts": "*.example.com", "allowed-ports": "443/TLS" },
	{ waypoint: "istio-egress/egress", "denied-hosts": "api.example.com", "allowed-protocols": "HTTP" },
	{ waypoint: "istio-egress/egress", "allowed-ports": "443, https" },
	{ waypoint: "istio-egress/egress", "allowed-hosts": "*.example.com", "denied-hosts": "api.*" },
	{ waypoint: "istio-egress/egress", "allowed-protocols": "TLS", "allowed-ports": "80, 443/HTTP" },
	{ waypoint: "istio-egress/egress", "denied-hosts": "*.payments.example.com" },
);
const namespaceLabels: Arbitrary<Readonly<Record<string, string>>> = mostly<Readonly<Record<string, string>>>(
	{ "istio.io/dataplane-mode": "ambient" },
	{},
	{ "istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "none" },
	{
		"istio.io/dataplane-mode": "ambient",
		"istio.io/use-waypoint": "egress",
		"istio.io/use-waypoint-namespace": "istio-egress",
	},
);
const otherEntry = (
	namespace: string,
	name: string,
	labels: Readonly<Record<string, string>>,
): ServiceEntry => ({
	...boundEntry,
	metadata: { name, namespace, labels },
	spec: { ...boundEntry.spec, hosts: ["api.example.com", "*.example.com"] },
});
const wrapping: DestinationRule = {
	apiVersion: "networking.istio.io/v1",
	kind: "DestinationRule",
	metadata: { name: "wrap", namespace: "team" },
	spec: { host: "*.example.com", trafficPolicy: { tls: { mode: "SIMPLE" } } },
};
const wrappingPolicy: BackendTlsPolicy = {
	apiVersion: "gateway.networking.k8s.io/v1",
	kind: "BackendTLSPolicy",
	metadata: { name: "wrap", namespace: "team" },
	spec: { targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "payments" }] },
};
const others: Arbitrary<readonly AnyObject[]> = mostly<readonly AnyObject[]>(
	[],
	[otherEntry("team", "payments", {})],
	[otherEntry("team", "rival", {})],
	[otherEntry("other", "shadow", {})],
	[otherEntry("other", "payments", {})],
	[otherEntry("other", "shadow", boundEntry.metadata?.labels ?? {})],
	[wrapping],
	[{ ...wrapping, metadata: { name: "wrap", namespace: "istio-egress" } }],
	[{ ...wrapping, metadata: { name: "wrap", namespace: "istio-system" } }],
	[wrappingPolicy],
	[exampleService("api", "team", "10.96.0.9")],
);
const mesh: Arbitrary<Partial<MeshFacts>> = mostly<Partial<MeshFacts>>(
	{},
	{ istioMinor: 27 },
	{ istioMinor: 29 },
	{ clusterDomain: "mesh.internal" },
	{ revisions: new Set(["default", "canary"]) },
	{ serviceEntryVisibility: { defaultVisibility: "NONE", policies: [] } },
	{ serviceEntryVisibility: { defaultVisibility: "NAMESPACE", policies: [] } },
);
/** What a generated cluster holds and is known to do. */
export interface GeneratedWorld {
	readonly objects: readonly AnyObject[];
	readonly mesh: Partial<MeshFacts>;
	readonly offline: boolean;
}

/** Worlds that are well or nearly so. */
export const anyWorld: Arbitrary<GeneratedWorld> = tuple(
	waypoint,
	policy,
	namespaceLabels,
	others,
	mesh,
	mostly(false, true),
).map(([gateway, annotated, labels, more, facts, offline]) => {
	const texts = Object.entries(annotated).map(([key, text]) => [`egress.waymark.dev/${key}`, text] as const);
	const namespace = {
		...teamNamespace,
		metadata: { name: "team", labels, annotations: Object.fromEntries(texts) },
	};
	const other = { ...teamNamespace, metadata: { ...teamNamespace.metadata, name: "other" } };
	const gateways = gateway === undefined ? [] : [gateway];
	return {
		objects: [namespace, other, egressNamespace, ...gateways, ...more],
		mesh: facts,
		offline,
	};
});
