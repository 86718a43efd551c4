import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { AnyObject, Kind, Resources } from "../../src/core/kinds.ts";
import { kindOfObject } from "../../src/core/kinds.ts";
import { applyEdits } from "../../src/core/patch.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { withLabels } from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { attachable, developer, editors, toEntry, toGateway } from "../support/attachments.ts";
import { governed, hostEntry, networking, twoTeams } from "../support/governed-shop.ts";
import { subjectOf, world } from "../support/rule-example.ts";

// Every way past a policy that was once admitted in silence, written as a developer writes it: /mutate first, then
// /validate, one object after the other. What rests on istiod is held by the end-to-end tests.
const engine = createEngine(rules);

interface Way {
	/** What stands before; the two teams of `governed-shop.ts` unless told. */
	readonly given?: readonly AnyObject[];
	readonly settings?: SettingsFile;
	/** What is written, in its order. */
	readonly writes: readonly AnyObject[];
	/** What the last write replaces. */
	readonly old?: AnyObject;
	/** What is said of the last write, such as `error serviceentry-policy-host`: at the least this, or nothing at all. */
	readonly says: readonly string[];
	/** The labels that the last write ends with, where that is the answer. */
	readonly labels?: Readonly<Record<string, string>>;
}

interface Answer {
	readonly said: readonly string[];
	readonly labels: Readonly<Record<string, string>>;
}

function answer({ given = twoTeams, settings = editors, writes, old }: Way): Answer {
	const state = world(given, settings);
	let last: Answer = { said: [], labels: {} };
	for (const [index, object] of writes.entries()) {
		const before = index === writes.length - 1 ? old : undefined;
		const ask = (each: AnyObject): ReturnType<typeof evaluate> =>
			evaluate(engine, state, { ...subjectOf(each, before), requester: developer });
		const mutated = applyEdits(object, ask(object).fixes.flat());
		const { denials, warnings, faults, decision } = ask(mutated);
		assert.deepEqual(faults, []);
		if (decision === "allow") {
			state.set(kindOfObject(mutated) as Kind, mutated as Resources[Kind]);
		}
		last = {
			said: [...denials.map(({ rule }) => `error ${rule}`), ...warnings.map(({ rule }) => `warning ${rule}`)],
			labels: (mutated.metadata?.labels ?? {}) as Readonly<Record<string, string>>,
		};
	}
	return last;
}

const tls = { number: 443, name: "tls", protocol: "TLS" };
const http = { number: 80, name: "http", protocol: "HTTP" };
const bound = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };

function entry(name: string, spec: object, metadata: object = {}, namespace = "shop"): AnyObject {
	const object = networking(
		"ServiceEntry",
		name,
		{ location: "MESH_EXTERNAL", ports: [tls], ...spec },
		namespace,
	);
	return { ...object, metadata: { name, namespace, ...metadata } } as AnyObject;
}

function service(name: string, spec: object, namespace = "shop", metadata: object = {}): AnyObject {
	return { apiVersion: "v1", kind: "Service", metadata: { name, namespace, ...metadata }, spec } as AnyObject;
}

function gatewayApi(kind: string, name: string, spec: object, namespace = "shop"): AnyObject {
	const version = kind === "TCPRoute" ? "v1alpha2" : "v1";
	return {
		apiVersion: `gateway.networking.k8s.io/${version}`,
		kind,
		metadata: { name, namespace },
		spec,
	} as AnyObject;
}

const internal = { location: "MESH_INTERNAL" };
const toFiles = { route: [{ destination: { host: "files.bank.example", port: { number: 80 } } }] };
const filesBackend = {
	group: "networking.istio.io",
	kind: "Hostname",
	name: "files.bank.example",
	port: 443,
};
const onEntry = [{ group: "networking.istio.io", kind: "ServiceEntry", name: "api" }];
const istiod = service("istiod", { clusterIP: "10.96.0.9", ports: [{ port: 15014 }] }, "istio-system");
const boundService = service("x", { selector: { app: "x" }, ports: [{ port: 80 }] }, "shop", {
	labels: bound,
});
const toIstiod = "istiod.istio-system.svc.cluster.local";
const routeToIstiod = networking("VirtualService", "x", {
	hosts: ["x.shop.svc.cluster.local"],
	http: [{ route: [{ destination: { host: toIstiod, port: { number: 15014 } } }] }],
});
const gatewayRouteToIstiod = gatewayApi("HTTPRoute", "x", {
	parentRefs: [{ group: "", kind: "Service", name: "x", port: 80 }],
	rules: [{ backendRefs: [{ ...filesBackend, name: toIstiod, port: 15014 }] }],
});
const chosen = { workloadSelector: { matchLabels: { app: "x" } } };
const originating443 = networking("DestinationRule", "api", {
	host: "api.shop.example",
	trafficPolicy: { portLevelSettings: [{ port: { number: 443 }, tls: { mode: "SIMPLE" } }] },
}) as AnyObject & { readonly spec?: object };
const toAway = { route: [{ destination: { host: "away", port: { number: 80 } } }] };
const delegating = networking("VirtualService", "root", {
	hosts: ["api.shop.example"],
	http: [{ delegate: { name: "child", namespace: "fresh" } }],
});
const onlyGet = { action: "ALLOW", rules: [{ to: [{ operation: { ports: ["443"] } }] }] };
const encrypted = entry(
	"orig",
	{
		hosts: ["orig.payments.example"],
		resolution: "DNS",
		ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
	},
	{ labels: bound },
) as AnyObject & { readonly spec?: object };
const onPort = (tls: object): object => ({ portLevelSettings: [{ port: { number: 80 }, tls }] });
const plain = onPort({ mode: "DISABLE" });
const mutual = { tls: { mode: "ISTIO_MUTUAL" } };
const certified = { tls: { mode: "MUTUAL", credentialName: "client" } };
const originating = networking("DestinationRule", "orig", {
	host: "orig.payments.example",
	trafficPolicy: onPort({ mode: "SIMPLE" }),
}) as AnyObject & { readonly spec?: object };
const own = gatewayApi("Gateway", "mine", {
	gatewayClassName: "istio-waypoint",
	listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
});
const machine = (address: string, more: object = {}): AnyObject =>
	networking("WorkloadEntry", "machine", { address, labels: { app: "vm" }, ...more });
const selecting = { resolution: "STATIC", workloadSelector: { labels: { app: "vm" } }, ...internal };
const shopOf = (labels: object): AnyObject => {
	const shop = governed("shop", { "allowed-hosts": "api.shop.example" });
	return { ...shop, metadata: { ...shop.metadata, labels } } as AnyObject;
};
const openTeam = {
	apiVersion: "v1",
	kind: "Namespace",
	metadata: { name: "fresh", labels: { "istio.io/dataplane-mode": "ambient" } },
} as AnyObject;
const foreignSni = { trafficPolicy: { tls: { mode: "SIMPLE", sni: "evil.example" } } };
const imported = { group: "multicluster.x-k8s.io", kind: "ServiceImport", name: "away", port: 80 };
const manyRoutes = Array.from({ length: 80 }, (_, index) => ({
	route: [{ destination: { host: `h${index}.old.example`, port: { number: 80 } } }],
}));
const many = Array.from({ length: 80 }, (_, index) => `h${index}.old.example`);
const allowAll = { action: "ALLOW", rules: [{}] };

/** One or more cases under the name of the situation. */
const ways: Readonly<Record<string, readonly Way[]>> = {
	"a name of the cluster with an address, a block or an alias of the internet": [
		{
			writes: [
				entry("relay", {
					...internal,
					hosts: ["relay.shop.svc.cluster.local"],
					resolution: "STATIC",
					ports: [{ number: 22, name: "tcp", protocol: "TCP" }],
					endpoints: [{ address: "203.0.113.9" }],
				}),
			],
			says: ["error serviceentry-policy-host", "error serviceentry-policy-port"],
		},
		{
			writes: [
				entry("net", {
					...internal,
					hosts: ["net.shop.svc.cluster.local"],
					resolution: "NONE",
					addresses: ["198.51.100.0/24"],
				}),
			],
			says: ["error serviceentry-policy-host"],
		},
		{
			writes: [
				service("away", { type: "ExternalName", externalName: "evil.example" }),
				entry("far", {
					...internal,
					hosts: ["far.shop.svc.cluster.local"],
					resolution: "DNS",
					endpoints: [{ address: "away.shop.svc.cluster.local" }],
				}),
			],
			says: ["error serviceentry-policy-host"],
		},
	],
	"a corporate host, with the opt-out, or with a private endpoint": [
		{
			writes: [entry("api2", { ...internal, hosts: ["db.payments.example"], resolution: "DNS" })],
			says: [],
			labels: bound,
		},
		{
			writes: [
				entry(
					"api2",
					{ ...internal, hosts: ["db.payments.example"], resolution: "DNS" },
					{ labels: { "istio.io/use-waypoint": "none" } },
				),
			],
			says: ["error serviceentry-waypoint-opt-out"],
		},
		{
			writes: [
				entry("api2", {
					...internal,
					hosts: ["db.payments.example"],
					resolution: "STATIC",
					endpoints: [{ address: "10.9.9.9" }],
				}),
			],
			says: [],
			labels: bound,
		},
		{
			writes: [machine("10.9.9.9"), entry("api2", { ...selecting, hosts: ["db.payments.example"] })],
			says: [],
			labels: bound,
		},
	],
	"ports and addresses of a machine behind a selector": [
		{
			writes: [
				entry("api2", { ...selecting, hosts: ["db.payments.example"] }),
				machine("10.9.9.9", { ports: { tls: 22 } }),
			],
			says: ["error workloadentry-address"],
		},
		{
			writes: [entry("in", { ...selecting, hosts: ["in.shop.svc.cluster.local"] }), machine("203.0.113.9")],
			says: ["error workloadentry-address"],
		},
		{
			writes: [
				service("vm", { selector: { app: "vm" }, ports: [{ port: 443 }] }),
				machine("api.shop.example"),
			],
			says: ["error workloadentry-address"],
		},
	],
	"routes of an allowed host to another namespace's host, or into the cluster": [
		{
			writes: [networking("VirtualService", "api", { hosts: ["api.shop.example"], http: [toFiles] })],
			says: ["error virtualservice-policy-destination"],
		},
		{
			writes: [
				networking("VirtualService", "api", {
					hosts: ["api.shop.example"],
					http: [
						{
							route: [{ destination: { host: "api.shop.example" } }],
							mirror: { host: "files.bank.example" },
						},
					],
				}),
			],
			says: ["error virtualservice-policy-destination"],
		},
		{
			writes: [
				networking("VirtualService", "api", {
					hosts: ["api.shop.example"],
					tls: [{ match: [{ sniHosts: ["api.shop.example"] }], ...toFiles }],
					tcp: [toFiles],
				}),
			],
			says: ["error virtualservice-policy-destination"],
		},
		...["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"].map((kind) => ({
			writes: [gatewayApi(kind, "api", { parentRefs: onEntry, rules: [{ backendRefs: [filesBackend] }] })],
			says: [`error ${kind.toLowerCase()}-policy-backend`],
		})),
		{
			given: [...twoTeams, istiod],
			writes: [
				networking("VirtualService", "api", {
					hosts: ["api.shop.example"],
					http: [
						{
							route: [
								{ destination: { host: "istiod.istio-system.svc.cluster.local", port: { number: 15014 } } },
							],
						},
					],
				}),
			],
			says: ["error virtualservice-policy-destination"],
		},
		{
			writes: [
				service("x", { selector: { app: "x" }, ports: [{ port: 80 }] }),
				gatewayApi("HTTPRoute", "x", {
					parentRefs: [{ group: "", kind: "Service", name: "x", port: 80 }],
					rules: [{ backendRefs: [filesBackend] }],
				}),
			],
			says: ["error httproute-policy-backend"],
		},
		{
			writes: [
				networking("VirtualService", "root", {
					hosts: ["api.shop.example"],
					http: [{ delegate: { name: "child", namespace: "fresh" } }],
				}),
				networking("VirtualService", "child", { http: [toFiles] }, "fresh"),
			],
			says: ["error virtualservice-policy-destination"],
		},
	],
	"a delegate of another namespace that leads to an alias there by its short name, in either order": [
		{
			writes: [
				service("away", { type: "ExternalName", externalName: "evil.example" }, "fresh"),
				networking("VirtualService", "child", { http: [toAway] }, "fresh"),
				delegating,
			],
			says: ["error virtualservice-policy-destination"],
		},
		{
			writes: [
				service("away", { type: "ExternalName", externalName: "evil.example" }, "fresh"),
				delegating,
				networking("VirtualService", "child", { http: [toAway] }, "fresh"),
			],
			says: ["error virtualservice-policy-destination"],
		},
	],
	"routes of an own Service that lend it the shared waypoint's identity, in either order": [
		{
			given: [...twoTeams, istiod],
			writes: [boundService, routeToIstiod],
			says: ["warning virtualservice-policy-destination"],
		},
		{
			given: [...twoTeams, istiod],
			writes: [routeToIstiod, boundService],
			says: ["warning service-waypoint-route"],
		},
		{
			given: [...twoTeams, istiod, service("x", { selector: { app: "x" } })],
			writes: [gatewayRouteToIstiod, boundService],
			says: ["warning service-waypoint-route"],
		},
	],
	"gateways as the way out": [
		{
			writes: [
				gatewayApi("Gateway", "front", {
					gatewayClassName: "istio",
					listeners: [{ name: "http", port: 80, protocol: "HTTP" }],
				}),
				gatewayApi("HTTPRoute", "front", {
					parentRefs: [{ name: "front" }],
					rules: [{ backendRefs: [filesBackend] }],
				}),
			],
			says: ["error httproute-policy-backend"],
		},
		{
			writes: [
				networking("Gateway", "in", {
					selector: { istio: "ingressgateway" },
					servers: [{ port: http, hosts: ["*"] }],
				}),
				networking("VirtualService", "in", {
					hosts: ["files.shop.internal"],
					gateways: ["in"],
					http: [toFiles],
				}),
			],
			says: ["error virtualservice-policy-destination"],
		},
		{
			writes: [
				networking("Gateway", "out", { selector: { app: "proxy" }, servers: [{ port: http, hosts: ["*"] }] }),
				networking("VirtualService", "out", {
					hosts: ["*"],
					gateways: ["out"],
					http: [{ route: [{ destination: { host: "api.shop.example", port: { number: 80 } } }] }],
				}),
			],
			says: ["warning virtualservice-policy-destination"],
		},
	],
	"labels of the Namespace from which policy is derived": [
		{
			writes: [shopOf({ "istio.io/dataplane-mode": "ambient", "istio.io/rev": "x" })],
			old: shopOf({ "istio.io/dataplane-mode": "ambient" }),
			says: ["error namespace-label"],
		},
		{
			writes: [shopOf({})],
			old: shopOf({ "istio.io/dataplane-mode": "ambient" }),
			says: ["error namespace-label"],
		},
		// An annotated waypoint implies enforced, whatever the labels say.
		{
			given: [
				...twoTeams.filter(({ metadata }) => metadata?.name !== "shop"),
				shopOf({ "istio.io/dataplane-mode": "ambient", "istio.io/rev": "x" }),
			],
			writes: [
				entry(
					"out",
					{ hosts: ["api.shop.example"], resolution: "DNS" },
					{ labels: { "istio.io/use-waypoint": "none" } },
				),
			],
			says: ["error serviceentry-waypoint-opt-out"],
		},
		{
			given: [
				...twoTeams.filter(({ metadata }) => metadata?.name !== "shop"),
				shopOf({ "istio.io/dataplane-mode": "ambient", "istio.io/rev": "x" }),
			],
			writes: [
				networking("Gateway", "egress", {
					selector: { istio: "egressgateway" },
					servers: [{ port: http, hosts: ["api.shop.example"] }],
				}),
			],
			says: ["error istiogateway-egress-selector"],
		},
	],
	"a namespace without a policy, or deleted and created again": [
		{
			settings: {
				defaults: { waypoint: "istio-egress/egress", allowedHosts: ["*.ok.example"], allowedPorts: ["443"] },
			},
			given: [...twoTeams, openTeam],
			writes: [
				entry(
					"any",
					{
						hosts: ["evil.example"],
						resolution: "DNS",
						ports: [{ number: 22, name: "tcp", protocol: "TCP" }],
					},
					{},
					"fresh",
				),
			],
			says: ["error serviceentry-policy-host", "error serviceentry-policy-port"],
		},
		{
			writes: [
				{
					...governed("again", { mode: "off" }),
					metadata: { ...governed("again", { mode: "off" }).metadata },
				},
			],
			says: ["error namespace-editor"],
		},
	],
	"the cluster's limits": [
		{
			settings: { limits: { allowedHosts: ["*.ok.example"], allowedPorts: ["443/TLS"] } },
			given: [...twoTeams, openTeam],
			writes: [
				entry(
					"relay",
					{
						...internal,
						hosts: ["relay.fresh.svc.cluster.local"],
						resolution: "STATIC",
						ports: [{ number: 22, name: "tcp", protocol: "TCP" }],
						endpoints: [{ address: "203.0.113.9" }],
					},
					{},
					"fresh",
				),
			],
			says: ["error serviceentry-policy-host", "error serviceentry-policy-port"],
		},
	],
	"a canary": [
		{
			writes: [
				own,
				entry(
					"api2",
					{ hosts: ["x.payments.example"], resolution: "DNS" },
					{
						labels: { ...bound, "istio.io/use-waypoint-canary": "mine" },
						annotations: { "istio.io/use-waypoint-canary-weight": "100" },
					},
				),
			],
			says: ["error serviceentry-waypoint-canary"],
		},
	],
	"an old mistake": [
		{
			writes: [entry("many", { hosts: [...many, "evil.example"], resolution: "DNS" }, { labels: bound })],
			old: entry("many", { hosts: many, resolution: "DNS" }, { labels: bound }),
			says: ["error serviceentry-policy-host"],
		},
		{
			writes: [
				entry(
					"port",
					{
						hosts: ["a.payments.example", "b.payments.example"],
						resolution: "DNS",
						ports: [{ number: 22, name: "tcp", protocol: "TCP" }],
					},
					{ labels: bound },
				),
			],
			old: entry(
				"port",
				{
					hosts: ["a.payments.example"],
					resolution: "DNS",
					ports: [{ number: 22, name: "tcp", protocol: "TCP" }],
				},
				{ labels: bound },
			),
			says: ["error serviceentry-policy-port"],
		},
		{
			writes: [
				entry(
					"ep",
					{
						hosts: ["a.payments.example", "b.payments.example"],
						resolution: "DNS",
						endpoints: [{ address: "evil.example" }],
					},
					{ labels: bound },
				),
			],
			old: entry(
				"ep",
				{ hosts: ["a.payments.example"], resolution: "DNS", endpoints: [{ address: "evil.example" }] },
				{ labels: bound },
			),
			says: ["error serviceentry-policy-host"],
		},
	],
	"an old mistake of a route, a DestinationRule or a machine that is carried to something new": [
		{
			writes: [
				networking("VirtualService", "api", {
					hosts: ["api.shop.example", "x.payments.example"],
					http: [toFiles],
				}),
			],
			old: networking("VirtualService", "api", { hosts: ["api.shop.example"], http: [toFiles] }),
			says: ["error virtualservice-policy-destination"],
		},
		{
			writes: [
				networking("VirtualService", "api", {
					hosts: ["api.shop.example"],
					gateways: ["mesh", "in"],
					http: [toFiles],
				}),
			],
			old: networking("VirtualService", "api", { hosts: ["api.shop.example"], http: [toFiles] }),
			says: ["error virtualservice-policy-destination"],
		},
		...["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"].map((kind) => ({
			writes: [
				gatewayApi(kind, "api", {
					parentRefs: [...onEntry, { group: "networking.istio.io", kind: "ServiceEntry", name: "x" }],
					rules: [{ backendRefs: [filesBackend] }],
				}),
			],
			old: gatewayApi(kind, "api", { parentRefs: onEntry, rules: [{ backendRefs: [filesBackend] }] }),
			says: [`error ${kind.toLowerCase()}-policy-backend`],
		})),
		{
			writes: [networking("DestinationRule", "api", { ...foreignSni, host: "*.payments.example" })],
			old: networking("DestinationRule", "api", { ...foreignSni, host: "api.shop.example" }),
			says: ["error destinationrule-policy-tls"],
		},
		{
			writes: [machine("10.9.9.8", { ports: { tls: 22 } })],
			old: machine("10.9.9.9", { ports: { tls: 22 } }),
			says: ["error workloadentry-address"],
		},
		{
			writes: [
				networking("VirtualService", "api", { hosts: ["api.shop.example"], http: [...manyRoutes, toFiles] }),
			],
			old: networking("VirtualService", "api", { hosts: ["api.shop.example"], http: manyRoutes }),
			says: ["error virtualservice-policy-destination"],
		},
	],
	"an alias that is written after what leads to it": [
		{
			given: [...twoTeams, service("away", { clusterIP: "10.96.0.40", ports: [{ port: 80 }] })],
			writes: [
				networking("VirtualService", "api", {
					hosts: ["api.shop.example"],
					http: [
						{
							route: [{ destination: { host: "api.shop.example", port: { number: 80 } } }],
							mirror: { host: "away" },
						},
					],
				}),
				service("away", { type: "ExternalName", externalName: "files.bank.example" }),
			],
			says: ["error service-external-name"],
		},
		{
			given: [...twoTeams, service("away", { clusterIP: "10.96.0.40", ports: [{ port: 80 }] })],
			writes: [
				gatewayApi("HTTPRoute", "api", { parentRefs: onEntry, rules: [{ backendRefs: [imported] }] }),
				service("away", { type: "ExternalName", externalName: "files.bank.example" }),
			],
			says: ["error service-external-name"],
		},
		{
			given: [...twoTeams, service("away", { clusterIP: "10.96.0.40", ports: [{ port: 80 }] })],
			writes: [
				gatewayApi("HTTPRoute", "front", {
					parentRefs: [{ name: "front" }],
					rules: [{ backendRefs: [{ name: "away", port: 80 }] }],
				}),
				service("away", { type: "ExternalName", externalName: "api.shop.example" }),
			],
			says: ["warning service-external-name"],
		},
	],
	"a machine that was there before the policy": [
		{
			given: [...twoTeams, machine("10.9.9.9", { ports: { tls: 22 } })],
			writes: [entry("api2", { ...selecting, hosts: ["db.payments.example"] })],
			says: ["error serviceentry-policy-port"],
		},
		{
			given: [...twoTeams, machine("203.0.113.9")],
			writes: [entry("in", { ...selecting, hosts: ["in.shop.svc.cluster.local"] })],
			says: ["error serviceentry-policy-host"],
		},
	],
	"a Namespace that carries the pair of labels itself": [
		{
			given: [
				...twoTeams.filter(({ metadata }) => metadata?.name !== "shop"),
				shopOf({ "istio.io/dataplane-mode": "ambient", ...bound }),
			],
			writes: [entry("plain", { hosts: ["api.shop.example"], resolution: "DNS" })],
			says: [],
			labels: bound,
		},
	],
	"one host, two namespaces, one shared waypoint": [
		{
			given: [...twoTeams, hostEntry("common.payments.example", "bank", "common")],
			writes: [entry("common", { hosts: ["common.payments.example"], resolution: "DNS" })],
			says: ["error serviceentry-waypoint-rival"],
			labels: {},
		},
	],
	"what tenants attach at a shared waypoint": [
		{
			given: [
				...twoTeams,
				attachable(
					"AuthorizationPolicy",
					toGateway("egress", { action: "ALLOW", rules: [{ to: [{ operation: { ports: ["443"] } }] }] }),
					"istio-egress",
					"security",
				),
			],
			writes: [attachable("AuthorizationPolicy", toEntry("api", allowAll))],
			says: ["error authorizationpolicy-shared-allow"],
		},
		{
			writes: [attachable("WasmPlugin", toEntry("api", { url: "oci://registry.example/own:1" }))],
			says: ["error wasmplugin-shared-code"],
		},
		{
			writes: [attachable("Telemetry", toEntry("api", { metrics: [{ overrides: [{ disabled: true }] }] }))],
			says: ["error telemetry-shared-silence"],
		},
	],
	"a policy that hangs on an entry's name": [
		{
			given: [
				...twoTeams,
				hostEntry("*.payments.example", "shop", "wild"),
				attachable(
					"AuthorizationPolicy",
					toEntry("wild", { action: "DENY", rules: [{ to: [{ operation: { ports: ["443"] } }] }] }),
					"shop",
					"guard",
				),
			],
			writes: [entry("one", { hosts: ["one.payments.example"], resolution: "DNS" })],
			says: ["warning serviceentry-lost-policy"],
		},
		// Deleted, and written again under another name.
		{
			given: [
				...twoTeams.filter(({ kind, metadata }) => kind !== "ServiceEntry" || metadata?.name !== "api"),
				attachable("AuthorizationPolicy", toEntry("api", onlyGet), "shop", "guard"),
			],
			writes: [entry("api2", { hosts: ["api.shop.example"], resolution: "DNS" })],
			says: ["warning serviceentry-lost-policy"],
		},
		// A copy of a central entry in the clients' own namespace, which ztunnels prefer.
		{
			given: [
				...twoTeams,
				hostEntry("central.payments.example", "istio-egress", "central"),
				attachable("AuthorizationPolicy", toEntry("central", onlyGet), "istio-egress", "guard"),
			],
			writes: [entry("central", { hosts: ["central.payments.example"], resolution: "DNS" })],
			says: ["error serviceentry-waypoint-rival", "warning serviceentry-lost-policy"],
		},
	],
	"a DestinationRule": [
		{
			writes: [
				networking("DestinationRule", "api", {
					host: "api.shop.example",
					trafficPolicy: { tls: { mode: "SIMPLE", sni: "evil.example" } },
				}),
			],
			says: ["error destinationrule-policy-tls"],
		},
		{
			writes: [
				networking("DestinationRule", "api", {
					host: "api.shop.example",
					trafficPolicy: { tls: { mode: "SIMPLE", insecureSkipVerify: true } },
				}),
			],
			says: ["warning destinationrule-policy-tls"],
		},
		{
			writes: [
				networking("DestinationRule", "api", {
					host: "api.shop.example",
					trafficPolicy: { tunnel: { targetHost: "evil.example", targetPort: 22 } },
				}),
			],
			says: ["error destinationrule-policy-tls"],
		},
	],
	"TLS that a waypoint no longer begins, or never began": [
		{
			given: [...twoTeams, encrypted],
			writes: [
				networking("DestinationRule", "orig", { host: "orig.payments.example", trafficPolicy: plain }),
			],
			old: originating,
			says: ["warning destinationrule-tls-loss"],
		},
		{
			given: [...twoTeams, encrypted],
			writes: [{ ...originating, spec: { ...originating.spec, host: "x.payments.example" } } as AnyObject],
			old: originating,
			says: ["warning destinationrule-tls-loss"],
		},
		{
			given: [...twoTeams, encrypted],
			writes: [
				{
					...originating,
					spec: { ...originating.spec, workloadSelector: { matchLabels: { app: "x" } } },
				} as AnyObject,
			],
			old: originating,
			says: ["warning destinationrule-tls-loss", "warning destinationrule-waypoint-tls"],
		},
		// A waypoint ignores ISTIO_MUTUAL, and looks a client certificate up in its own namespace.
		{
			writes: [networking("DestinationRule", "api", { host: "api.shop.example", trafficPolicy: mutual })],
			says: ["warning destinationrule-waypoint-tls"],
		},
		{
			writes: [networking("DestinationRule", "api", { host: "api.shop.example", trafficPolicy: certified })],
			says: ["warning destinationrule-waypoint-tls"],
		},
		{
			writes: [
				{
					...originating,
					spec: { ...originating.spec, workloadSelector: { matchLabels: { app: "x" } } },
				} as AnyObject,
				entry("orig", encrypted.spec as object),
			],
			says: ["warning serviceentry-tls-origination"],
		},
	],
	"an address that is a workload's, too": [
		{
			writes: [
				entry("db", {
					hosts: ["db.payments.example"],
					resolution: "STATIC",
					addresses: ["203.0.113.10"],
					endpoints: [{ address: "203.0.113.10" }],
				}),
			],
			says: ["error serviceentry-address-workload"],
		},
		{
			given: [
				...twoTeams,
				entry(
					"net",
					{ hosts: ["net.payments.example"], resolution: "NONE", addresses: ["203.0.113.0/24"] },
					{ labels: bound },
				),
			],
			writes: [networking("WorkloadEntry", "machine", { address: "203.0.113.10" }, "bank")],
			says: ["error workloadentry-address-governed"],
		},
	],
	"REGISTRY_ONLY in a Sidecar": [
		{
			writes: [networking("Sidecar", "default", { outboundTrafficPolicy: { mode: "REGISTRY_ONLY" } })],
			says: ["warning sidecar-registry-only"],
		},
	],
};

/** What looks alike and is right. */
const controls: Readonly<Record<string, Way>> = {
	"an allowed host, bound": {
		writes: [entry("ok", { hosts: ["x.payments.example"], resolution: "DNS" }, { labels: bound })],
		says: [],
	},
	"a name of the cluster that pods answer": {
		writes: [
			entry("in", {
				...internal,
				hosts: ["in.shop.svc.cluster.local"],
				resolution: "STATIC",
				workloadSelector: { labels: { app: "pods" } },
			}),
		],
		says: [],
	},
	"a corporate host that the configuration calls internal": {
		settings: { internal: { hosts: ["corp.example"], addresses: ["10.0.0.0/8"] } },
		writes: [
			entry("db", {
				...internal,
				hosts: ["db.corp.example"],
				resolution: "STATIC",
				endpoints: [{ address: "10.9.9.9" }],
			}),
		],
		says: [],
	},
	"a route of an allowed host to itself": {
		writes: [
			networking("VirtualService", "api", {
				hosts: ["api.shop.example"],
				http: [{ route: [{ destination: { host: "api.shop.example", port: { number: 80 } } }] }],
			}),
		],
		says: [],
	},
	"a route to a Service that is bound to a waypoint with a gateway's name": {
		given: [
			...twoTeams,
			service("web", { clusterIP: "10.96.0.30", ports: [{ port: 80 }] }, "shop", {
				labels: { "istio.io/use-waypoint": "egress-gateway" },
			}),
		],
		writes: [
			networking("VirtualService", "web", {
				hosts: ["web"],
				http: [{ route: [{ destination: { host: "web" } }] }],
			}),
		],
		says: [],
	},
	"a Service's requests that go to Services, before it is bound": {
		given: [...twoTeams, istiod, service("y", { selector: { app: "y" } })],
		writes: [
			networking("VirtualService", "x", {
				hosts: ["x.shop.svc.cluster.local"],
				http: [{ route: [{ destination: { host: "y.shop.svc.cluster.local" } }] }],
			}),
			boundService,
		],
		says: [],
	},
	"a Service's requests that go to another namespace's Service, at no waypoint": {
		given: [...twoTeams, istiod],
		writes: [
			service("x", { selector: { app: "x" } }),
			routeToIstiod,
			service("x", { selector: { app: "x" } }, "shop", { labels: { "istio.io/use-waypoint": "own" } }),
		],
		says: [],
	},
	"an old mistake of a route that goes on for fewer hosts": {
		writes: [networking("VirtualService", "api", { hosts: ["api.shop.example"], http: [toFiles] })],
		old: networking("VirtualService", "api", {
			hosts: ["api.shop.example", "x.payments.example"],
			http: [toFiles],
		}),
		says: ["warning virtualservice-policy-destination"],
	},
	"an alias of an allowed host behind an allowed host": {
		writes: [
			service("near", { clusterIP: "10.96.0.41", ports: [{ port: 80 }] }),
			networking("VirtualService", "api", {
				hosts: ["api.shop.example"],
				http: [{ route: [{ destination: { host: "near", port: { number: 80 } } }] }],
			}),
			service("near", { type: "ExternalName", externalName: "x.payments.example" }),
		],
		says: [],
	},
	"a label of the Namespace that decides nothing": {
		writes: [shopOf({ "istio.io/dataplane-mode": "ambient", color: "blue" })],
		old: shopOf({ "istio.io/dataplane-mode": "ambient" }),
		says: [],
	},
	"a waypoint that a revision labels": {
		given: twoTeams.map((each) =>
			each.kind === "Gateway" ? withLabels(each, { "istio.io/rev": "stable" }) : each,
		),
		writes: [entry("ok", { hosts: ["x.payments.example"], resolution: "DNS" }, { labels: bound })],
		says: [],
	},
	"a route from port 80 to port 443, where TLS begins": {
		given: [...twoTeams, originating443],
		writes: [
			networking("VirtualService", "api", {
				hosts: ["api.shop.example"],
				http: [
					{
						match: [{ port: 80 }],
						route: [{ destination: { host: "api.shop.example", port: { number: 443 } } }],
					},
				],
			}),
			hostEntry("api.shop.example"),
		],
		says: [],
	},
	"a DestinationRule for chosen pods, which begins no TLS at the waypoint for what is encrypted already": {
		given: [...twoTeams, { ...originating443, spec: { ...originating443.spec, ...chosen } } as AnyObject],
		writes: [hostEntry("api.shop.example")],
		says: [],
	},
	"a machine of one's own network behind a Service": {
		writes: [service("vm", { selector: { app: "vm" }, ports: [{ port: 443 }] }), machine("10.9.9.9")],
		says: [],
	},
};

describe("no way past the policy", () => {
	for (const [what, cases] of Object.entries(ways)) {
		it(`evaluate() refuses, binds or warns of ${what}`, () => {
			for (const [index, way] of cases.entries()) {
				const { said, labels } = answer(way);
				const missing = way.says.filter((each) => !said.includes(each));
				assert.deepEqual(missing, [], `${what}, case ${index + 1} says ${JSON.stringify(said)}`);
				if (way.labels !== undefined) {
					assert.deepEqual(labels, way.labels, `${what}, case ${index + 1}`);
				}
				assert.ok(way.says.length > 0 || way.labels !== undefined, "a case without an answer holds nothing");
			}
		});
	}
	for (const [what, way] of Object.entries(controls)) {
		it(`evaluate() leaves alone ${what}`, () => {
			assert.deepEqual(answer(way).said, way.says);
		});
	}
});
