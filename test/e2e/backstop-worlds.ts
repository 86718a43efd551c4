import type { Arbitrary } from "fast-check";
import { array, constant, constantFrom, oneof, option, record, sample, tuple, uniqueArray } from "fast-check";
import type { KubernetesGateway, Namespace, ServiceEntry } from "../../src/core/kinds.ts";

const weighted = <T>(...choices: readonly (readonly [number, T])[]): Arbitrary<T> =>
	oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: constant(value) })));

const prefix = "egress.waymark.dev/";
const U = "istio.io/use-waypoint";
const N = "istio.io/use-waypoint-namespace";

/** The namespace of the waypoints of every world. */
export const waypointNamespace = "backstop-egress";

const hostLists = weighted<string | undefined>(
	[8, undefined],
	[6, "*.example.com"],
	[2, "*.example.com, api.example.org\n*.b.example.net"],
	[2, "API.Example.com. *.EXAMPLE.org"],
	[1, "*.${namespace}.example.com api.example.com"],
	[1, ""],
	[1, " , "],
	[1, "*.com"],
	[1, "bad..example.com"],
	[1, "*foo.example.com"],
	[1, "-a.example.com"],
	[1, "a_b.example.com example.com *._x.example.com"],
);

const portLists = weighted<string | undefined>(
	[10, undefined],
	[3, "443"],
	[2, "443/TLS, 80/HTTP 8000-8099"],
	[1, "1-65535"],
	[1, "443/tls,9000-9100/grpc-web"],
	[1, "443, https"],
	[1, "99999"],
	[1, "20-10"],
	[1, ""],
);

const protocolLists = weighted<string | undefined>(
	[10, undefined],
	[2, "TLS, HTTPS, http"],
	[1, "tls"],
	[1, "QUIC"],
	[1, ""],
);

const waypoints = weighted<string | undefined>(
	[10, `${waypointNamespace}/egress`],
	[2, `${waypointNamespace}/other`],
	[2, "own"],
	[2, "none"],
	[1, undefined],
	[1, ` ${waypointNamespace}/egress `],
	[1, "Bad/Name"],
	[1, "a/none"],
	[1, `${waypointNamespace}/absent`],
	[1, `${waypointNamespace}/same`],
	[1, `${waypointNamespace}/selected`],
	[1, `${waypointNamespace}/ingress`],
	[1, `${waypointNamespace}/workload`],
);

const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

const exemptions = weighted<Readonly<Record<string, string>>>(
	[12, {}],
	[1, { "exempt.serviceentry-policy-host": `until=${day(1)} reason=migration` }],
	[1, { "exempt.serviceentry-policy-host": `until=${day(-1)} reason=migration` }],
	[1, { "exempt.serviceentry-waypoint-opt-out": `until=${day(0)}  reason=today ` }],
	[1, { "exempt.serviceentry-host-spelling": "until=2027-02-30 reason=no such day" }],
	[1, { "exempt.serviceentry-port-udp": "reason=forgotten" }],
	[1, { "exempt.serviceentry-waypoint-binding": `until=${day(30)} reason=a owner=b ticket=C-1` }],
);

const namespaceLabels = tuple(
	weighted<Readonly<Record<string, string>>>(
		[8, { "istio.io/dataplane-mode": "ambient" }],
		[2, {}],
		[1, { "istio.io/dataplane-mode": "ambient", "istio-injection": "enabled" }],
		[1, { "istio.io/dataplane-mode": "ambient", "istio.io/rev": "canary" }],
	),
	weighted<Readonly<Record<string, string>>>(
		[8, {}],
		[2, { [U]: "egress", [N]: waypointNamespace }],
		[1, { [U]: "own" }],
		[1, { [U]: "none" }],
		[1, { [U]: "" }],
		[1, { [N]: waypointNamespace }],
	),
	weighted<Readonly<Record<string, string>>>([2, {}], [1, { team: "x" }]),
).map((parts) => Object.assign({}, ...parts) as Readonly<Record<string, string>>);

const annotations = record({
	mode: weighted<string | undefined>(
		[14, undefined],
		[2, "enforce"],
		[1, "warn"],
		[1, "off"],
		[1, "audit"],
		[1, "Enforce"],
	),
	ambient: weighted<string | undefined>([6, undefined], [2, "enforced"], [2, " permitted"], [1, "yes"]),
	waypoint: waypoints,
	"allowed-hosts": hostLists,
	"denied-hosts": weighted<string | undefined>(
		[12, undefined],
		[1, "*.b.example.com"],
		[1, "api.example.com"],
		[1, "x.*"],
	),
	"allowed-ports": portLists,
	"allowed-protocols": protocolLists,
	others: exemptions,
	unknown: weighted<Readonly<Record<string, string>>>([30, {}], [1, { "allowed-host": "a" }]),
}).map(({ others, unknown, ...own }) => {
	const set = Object.entries({ ...own, ...others, ...unknown }).filter(([, value]) => value !== undefined);
	return Object.fromEntries(set.map(([name, value]) => [prefix + name, String(value)]));
});

/** Namespaces with every kind of policy, some of which cannot be read. */
export function policyNamespaces(seed: number, count: number): readonly Namespace[] {
	return sample(tuple(annotations, namespaceLabels), { seed, numRuns: count }).map(
		([notes, labels], index) => {
			const name = `backstop-${seed}-${index}`;
			return {
				apiVersion: "v1",
				kind: "Namespace",
				metadata: { name, annotations: notes, labels: { ...labels, "kubernetes.io/metadata.name": name } },
			};
		},
	);
}

const label = constantFrom("api", "b", "www", "x-1", "_srv", "a", "db");
const domain = constantFrom(
	"example.com",
	"b.example.com",
	"example.org",
	"example.net",
	"com",
	"1.2.3.4",
	"test",
);
const host = oneof(
	{ weight: 12, arbitrary: tuple(label, domain).map(([one, two]) => `${one}.${two}`) },
	{ weight: 2, arbitrary: tuple(label, label, domain).map((parts) => parts.join(".")) },
	{ weight: 2, arbitrary: domain.map((name) => `*.${name}`) },
	{
		weight: 3,
		arbitrary: constantFrom(
			"API.example.com",
			"api.example.com.",
			"*foo.example.com",
			"*",
			"api",
			"bücher.example.com",
			"payments.shop.svc",
			"payments.shop.svc.cluster.local",
			"x.clusterset.local",
			"cluster.local",
			"a..example.com",
			"-a.example.com",
			"*.b.*.com",
			"1.2.3.4",
			`${"a.".repeat(20)}example.com`,
			`${"a".repeat(64)}.example.com`,
			"svc",
		),
	},
);

const protocol = weighted<string | undefined>(
	[6, "TLS"],
	[4, "HTTPS"],
	[3, "HTTP"],
	[2, "TCP"],
	[1, "udp"],
	[1, "UDP"],
	[1, "GRPC-Web"],
	[1, "tls"],
	[1, "QUIC"],
	[1, undefined],
);

const port = tuple(
	weighted([8, 443], [3, 80], [2, 8443], [1, 8050], [1, 53]),
	protocol,
	weighted<number | undefined>([8, undefined], [1, 8443], [1, 443], [1, 70]),
).map(([number, name, targetPort]) => ({
	number,
	name: `p${number}`,
	...(name === undefined ? {} : { protocol: name }),
	...(targetPort === undefined ? {} : { targetPort }),
}));

const address = weighted<string>(
	[4, "203.0.113.7"],
	[2, "203.0.113.0/24"],
	[1, "169.254.169.254"],
	[1, "169.254.0.0/15"],
	[1, "fe80::1"],
	[1, "fe80::1%eth0"],
	[1, "::ffff:169.254.169.254"],
	[1, "64:ff9b::a9fe:a9fe"],
	[1, "2001:db8::/32"],
	[1, "240.240.0.5"],
	[1, "0.0.0.0"],
	[1, "127.0.0.1/8"],
);

const endpoint = record(
	{
		address: oneof(
			address.filter((text) => !text.includes("/")),
			constantFrom("api.example.com", "evil.example.net", "db.shop.svc", "Api.Example.com.", "local"),
		),
		ports: constantFrom({ p443: 443 }, { p443: 8443 }, { p443: 70, p80: 71 }),
	},
	{ requiredKeys: ["address"] },
);

const bindingLabels = weighted<Readonly<Record<string, string>> | "wanted">(
	[10, {}],
	[16, "wanted"],
	[3, { [U]: "egress", [N]: waypointNamespace }],
	[2, { [U]: "other", [N]: waypointNamespace }],
	[2, { [U]: "egress" }],
	[1, { [U]: "own" }],
	[2, { [U]: "none" }],
	[1, { [U]: "None" }],
	[1, { [U]: "" }],
	[1, { [N]: waypointNamespace }],
	[1, { [N]: "elsewhere" }],
	[1, { [U]: "egress", [N]: "a.b" }],
	[1, { [U]: "absent", [N]: waypointNamespace }],
	[1, { [U]: "same", [N]: waypointNamespace }],
	[1, { [U]: "selected", [N]: waypointNamespace }],
	[1, { [U]: "ingress", [N]: waypointNamespace }],
	[1, { [U]: "workload", [N]: waypointNamespace }],
	[1, { [U]: "never", [N]: waypointNamespace }],
);

const otherLabels = weighted<Readonly<Record<string, string>>>(
	[20, {}],
	[1, { app: "payments" }],
	[1, { "istio.io/rev": "canary" }],
	[1, { "istio.io/rev": "default" }],
	[1, { "istio.io/rev": "" }],
	[1, { "gateway.istio.io/managed": "istio.io-mesh-controller" }],
	[1, { "gateway.istio.io/managed": "else" }],
	[1, { "networking.istio.io/enable-autoallocate-ip": "False" }],
);

const spec = record({
	hosts: array(host, { minLength: 1, maxLength: 3 }),
	ports: uniqueArray(port, { minLength: 1, maxLength: 3, selector: (each) => each.number }),
	resolution: weighted<string | undefined>(
		[14, "DNS"],
		[2, "NONE"],
		[2, "STATIC"],
		[2, "DYNAMIC_DNS"],
		[1, "DNS_ROUND_ROBIN"],
		[1, undefined],
	),
	location: weighted<string | undefined>([10, "MESH_EXTERNAL"], [3, undefined], [2, "MESH_INTERNAL"]),
	addresses: option(array(address, { minLength: 1, maxLength: 2 }), { nil: undefined, freq: 5 }),
	endpoints: option(array(endpoint, { minLength: 1, maxLength: 2 }), { nil: undefined, freq: 5 }),
}).map((parts) => Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)));

const plainSpec = tuple(label, constantFrom("example.com", "example.org")).map(([name, place]) => ({
	hosts: [`${name === "_srv" ? "srv" : name}.${place}`],
	ports: [{ number: 443, name: "tls", protocol: "TLS" }],
	resolution: "DNS",
	location: "MESH_EXTERNAL",
}));

/** An entry in one of the namespaces, and the one that it replaces where it is an update. */
export interface EntryCase {
	readonly object: ServiceEntry;
	readonly old?: ServiceEntry;
}

const pick = (count: number) => constantFrom(...Array.from({ length: count }, (_, index) => index));

function entryIn(namespaces: readonly Namespace[]) {
	return tuple(
		pick(namespaces.length),
		bindingLabels,
		otherLabels,
		oneof({ weight: 3, arbitrary: spec }, { weight: 1, arbitrary: plainSpec }),
	);
}

type Plan = readonly [
	number,
	Readonly<Record<string, string>> | "wanted",
	Readonly<Record<string, string>>,
	object,
];

function build(
	namespaces: readonly Namespace[],
	name: string,
	[at, binding, others, body]: Plan,
): ServiceEntry {
	const { metadata } = namespaces[at] ?? {};
	const named = (metadata?.annotations?.[`${prefix}waypoint`] ?? "").trim();
	const [place, waypoint] = named.includes("/") ? named.split("/") : [metadata?.name ?? "", named];
	const usable = /^[a-zA-Z0-9]+$/.test(waypoint ?? "");
	const bound = binding === "wanted" ? (usable ? { [U]: waypoint ?? "", [N]: place ?? "" } : {}) : binding;
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: { name, namespace: metadata?.name ?? "", labels: { ...bound, ...others } },
		spec: body as NonNullable<ServiceEntry["spec"]>,
	};
}

/** Entries to create. */
export function entryCreations(
	seed: number,
	count: number,
	namespaces: readonly Namespace[],
): readonly EntryCase[] {
	return sample(entryIn(namespaces), { seed, numRuns: count }).map((plan, index) => ({
		object: build(namespaces, `c-${index}`, plan),
	}));
}

/** Entries to change: some parts are those of the old entry, some are new, and often nothing but a label is. */
export function entryUpdates(
	seed: number,
	count: number,
	namespaces: readonly Namespace[],
): readonly EntryCase[] {
	const plan = tuple(
		entryIn(namespaces),
		entryIn(namespaces),
		array(constantFrom(true, false), { minLength: 9, maxLength: 9 }),
	);
	return sample(plan, { seed, numRuns: count }).map(([before, after, kept], index) => {
		const old = build(namespaces, `u-${index}`, before);
		const binding = kept[0] ? before[1] : after[1];
		const others = kept[1] ? before[2] : after[2];
		const fields = new Set([...Object.keys(before[3]), ...Object.keys(after[3])]);
		const mixed: Record<string, unknown> = {};
		for (const [at, field] of [...fields].toSorted().entries()) {
			const source = (kept[2 + at] ? before[3] : after[3]) as Readonly<Record<string, unknown>>;
			const other = (kept[2 + at] ? after[3] : before[3]) as Readonly<Record<string, unknown>>;
			const value =
				Array.isArray(source[field]) && Array.isArray(other[field]) && kept[8]
					? [
							...((before[3] as Record<string, unknown[]>)[field] ?? []),
							...(source[field] as unknown[]).slice(0, 1),
						]
					: source[field];
			if (value !== undefined) {
				mixed[field] = field === "ports" ? uniquePorts(value as never) : value;
			}
		}
		return { old, object: build(namespaces, `u-${index}`, [before[0], binding, others, mixed]) };
	});
}

function uniquePorts(ports: readonly { readonly number: number }[]): unknown {
	return [...new Map(ports.map((each) => [each.number, each])).values()];
}

const gateway = (name: string, spec: object, more: object = {}): KubernetesGateway => ({
	apiVersion: "gateway.networking.k8s.io/v1",
	kind: "Gateway",
	metadata: { name, namespace: waypointNamespace, ...more },
	spec: { gatewayClassName: "istio-waypoint", ...spec },
	status: { addresses: [{ type: "IPAddress", value: "10.96.0.9" }] },
});

const hbone = (namespaces: object): object => ({
	listeners: [{ name: "mesh", port: 15008, protocol: "HBONE", allowedRoutes: { namespaces } }],
});

/** Waypoints that take everybody under every name that the namespaces and the entries say. */
export function soundWaypoints(namespaces: readonly Namespace[]): readonly KubernetesGateway[] {
	const names = ["egress", "other", "same", "selected", "absent", "ingress", "workload", "never", "own"];
	const places = [waypointNamespace, ...namespaces.map(({ metadata }) => metadata?.name ?? "")];
	return places.flatMap((namespace) =>
		names.map((name) => {
			const sound = gateway(name, hbone({ from: "All" }));
			return { ...sound, metadata: { name, namespace } };
		}),
	);
}

/** Waypoints of every kind, most of which do not do; `absent` is not there. */
export const unsoundWaypoints: readonly KubernetesGateway[] = [
	gateway("egress", hbone({ from: "All" })),
	gateway(
		"other",
		hbone({
			from: "Selector",
			selector: { matchExpressions: [{ key: "team", operator: "NotIn", values: ["x"] }] },
		}),
	),
	gateway("same", hbone({ from: "Same" })),
	gateway("selected", hbone({ from: "Selector", selector: { matchLabels: { team: "x" } } })),
	gateway("ingress", {
		gatewayClassName: "istio",
		listeners: [{ name: "http", port: 80, protocol: "HTTP" }],
	}),
	gateway("workload", hbone({ from: "All" }), { labels: { "istio.io/waypoint-for": "workload" } }),
	gateway("never", hbone({ from: "All" }), { labels: { "istio.io/rev": "canary" } }),
];
