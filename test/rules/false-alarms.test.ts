import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { AnyObject } from "../../src/core/kinds.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { egressNamespace, egressWaypoint, withLabels } from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { developer, editors } from "../support/attachments.ts";
import { gatewayApi, service } from "../support/egress-rules.ts";
import { governed, hostEntry, networking } from "../support/governed-shop.ts";
import { subjectOf, world } from "../support/rule-example.ts";

// What looks like a way out and is none, each as a whole world: no rule of the table says anything of any of its objects,
// where ambient is enforced, and where the namespace has a policy besides, which the developer may not edit.
const engine = createEngine(rules);

const shop: readonly AnyObject[] = [
	egressNamespace,
	egressWaypoint,
	governed("shop", {
		"allowed-hosts": "api.example.com, cdn.example.net, vm.example.com, *.saas.example.net",
		"allowed-ports": "443/TLS, 80/HTTP, 5432/TCP",
	}),
	service("shop", "shop", { clusterIP: "10.96.0.40", ports: [{ port: 80 }] }),
	service("db", "shop", { clusterIP: "10.96.0.41", ports: [{ port: 5432 }] }),
];
const inside = "shop.shop.svc.cluster.local";
const ingressService = service(
	"istio-ingressgateway",
	"istio-system",
	{ clusterIP: "10.96.0.42", selector: { istio: "ingressgateway" }, ports: [{ port: 80 }] },
	{ istio: "ingressgateway" },
);

const http = (host: string, gateways?: readonly string[]): object => ({
	...(gateways === undefined ? {} : { match: [{ gateways }] }),
	route: [{ destination: { host, port: { number: 80 } } }],
});
const virtual = (name: string, spec: object): AnyObject => networking("VirtualService", name, spec);
const server = (host: string, more: object = {}): object => ({
	hosts: [host],
	port: { number: 80, name: "http", protocol: "HTTP" },
	...more,
});
const passing = { port: { number: 443, name: "tls", protocol: "TLS" }, tls: { mode: "PASSTHROUGH" } };
const gateway = (name: string, selector: object, ...servers: readonly object[]): AnyObject =>
	networking("Gateway", name, {
		selector,
		servers: servers.length > 0 ? servers : [server("shop.example.com")],
	});
const ingress = gateway("public", { istio: "ingressgateway" });
const mesh = [{ name: "mesh", port: 15008, protocol: "HBONE" }];
const ready = { status: { addresses: [{ type: "IPAddress", value: "10.96.10.21" }] } };
const waypoint = (name: string, labels = {}): AnyObject => ({
	...gatewayApi("Gateway", name, { gatewayClassName: "istio-waypoint", listeners: mesh }, { labels }),
	...ready,
});
const toHost = (name: string): object => ({
	group: "networking.istio.io",
	kind: "Hostname",
	name,
	port: 443,
});
const toEntry = (name: string): object => ({ group: "networking.istio.io", kind: "ServiceEntry", name });

interface Calm {
	readonly objects: readonly AnyObject[];
	readonly settings?: SettingsFile;
	/** What stands, and is not what the case is about; the governed shop unless told. */
	readonly given?: readonly AnyObject[];
	/** What is warned of where a policy names a waypoint: an ingress gateway that leads out may be meant to. */
	readonly warns?: readonly string[];
}

const traps: Readonly<Record<string, Calm>> = {
	"F1: an ingress Gateway and its route into the cluster": {
		objects: [
			ingress,
			virtual("shop", { hosts: ["shop.example.com"], gateways: ["public"], http: [http(inside)] }),
		],
	},
	"F2: a public host that stays in the cluster inside the mesh, and goes elsewhere for clients from outside":
		{
			warns: ["VirtualService shop: warning virtualservice-policy-destination"],
			objects: [
				ingress,
				hostEntry("cdn.example.net", "shop", "cdn"),
				virtual("shop", {
					hosts: ["shop.example.com"],
					gateways: ["mesh", "public"],
					http: [http(inside, ["mesh"]), http("cdn.example.net", ["public"])],
				}),
			],
		},
	"F3: a hairpin through the ingress gateway": {
		objects: [
			ingressService,
			virtual("hairpin", {
				hosts: ["shop.example.com"],
				http: [http("istio-ingressgateway.istio-system.svc.cluster.local")],
			}),
		],
	},
	"F4: an east-west gateway, of either kind": {
		objects: [
			gateway(
				"cross-network",
				{ istio: "eastwestgateway" },
				server("*.local", { ...passing, tls: { mode: "AUTO_PASSTHROUGH" } }),
			),
			{
				...gatewayApi("Gateway", "east-west", { gatewayClassName: "istio-east-west", listeners: mesh }),
				...ready,
			},
		],
	},
	"F5: an ingress gateway in front of somebody else's service, which the policy allows": {
		warns: [
			"VirtualService saas: warning virtualservice-policy-destination",
			"HTTPRoute saas: warning httproute-policy-backend",
		],
		objects: [
			ingress,
			hostEntry("api.saas.example.net", "shop", "saas"),
			virtual("saas", {
				hosts: ["shop.example.com"],
				gateways: ["public"],
				http: [http("api.saas.example.net")],
			}),
			{
				...gatewayApi("Gateway", "front", {
					gatewayClassName: "istio",
					listeners: [{ name: "http", hostname: "shop.example.com", port: 80, protocol: "HTTP" }],
				}),
				...ready,
			},
			gatewayApi("HTTPRoute", "saas", {
				parentRefs: [{ name: "front" }],
				hostnames: ["shop.example.com"],
				rules: [{ backendRefs: [toHost("api.saas.example.net")] }],
			}),
		],
	},
	"F6: a waypoint, its routes, and TLS that begins there": {
		objects: [
			waypoint("waypoint"),
			hostEntry("api.example.com"),
			gatewayApi("HTTPRoute", "tls", {
				parentRefs: [toEntry("api")],
				rules: [{ backendRefs: [toHost("api.example.com")] }],
			}),
			gatewayApi("TLSRoute", "passthrough", {
				parentRefs: [toEntry("api")],
				hostnames: ["api.example.com"],
				rules: [{ backendRefs: [toHost("api.example.com")] }],
			}),
			networking("DestinationRule", "tls", {
				host: "api.example.com",
				trafficPolicy: {
					portLevelSettings: [{ port: { number: 443 }, tls: { mode: "SIMPLE", sni: "api.example.com" } }],
				},
			}),
		],
	},
	"F7: objects that are only called egress": {
		objects: [
			waypoint("egress-gateway"),
			gateway("istio-egressgateway", { istio: "ingressgateway" }),
			service("egressgateway-metrics", "shop", { clusterIP: "10.96.0.43", ports: [{ port: 80 }] }),
			virtual("egress-audit", { hosts: [inside], http: [http(inside)] }),
			networking("DestinationRule", "metrics", { host: "egressgateway-metrics.shop.svc.cluster.local" }),
			hostEntry("api.example.com", "shop", "istio-egressgateway"),
		],
	},
	"F8: ingress gateways with labels of their own": {
		objects: [{ myapp: "private-ingressgateway" }, { istio: "custom" }, { app: "my-gateway-controller" }].map(
			(selector, index) => gateway(`custom-${index}`, selector),
		),
	},
	"F9: an ingress gateway with more labels than its own": {
		objects: [gateway("internal", { istio: "ingressgateway", type: "internal" })],
	},
	"F10: a delegate without hosts": {
		objects: [
			ingress,
			virtual("root", {
				hosts: ["shop.example.com"],
				gateways: ["public"],
				http: [{ match: [{ uri: { prefix: "/" } }], delegate: { name: "child" } }],
			}),
			virtual("child", { http: [http(inside)] }),
		],
	},
	"F11: SNI routing on an ingress gateway": {
		objects: [
			gateway("passthrough", { istio: "ingressgateway" }, server("db.example.com", passing)),
			virtual("db", {
				hosts: ["db.example.com"],
				gateways: ["passthrough"],
				tls: [
					{
						match: [{ port: 443, sniHosts: ["db.example.com"] }],
						route: [{ destination: { host: "db.shop.svc.cluster.local", port: { number: 5432 } } }],
					},
				],
			}),
		],
	},
	"F12: Istio's mutual TLS on an ingress gateway and inside the cluster": {
		objects: [
			gateway(
				"inner",
				{ istio: "ingressgateway" },
				server("shop.example.com", {
					port: { number: 443, name: "https", protocol: "HTTPS" },
					tls: { mode: "ISTIO_MUTUAL" },
				}),
			),
			networking("DestinationRule", "mtls", {
				host: inside,
				trafficPolicy: { tls: { mode: "ISTIO_MUTUAL" } },
			}),
		],
	},
	"F13: an entry for a name of the cluster that its own workloads answer": {
		objects: [
			networking("ServiceEntry", "vm", {
				hosts: ["vm.shop.svc.cluster.local"],
				location: "MESH_INTERNAL",
				resolution: "STATIC",
				ports: [{ number: 5432, name: "tcp", protocol: "TCP" }],
				workloadSelector: { labels: { app: "vm" } },
			}),
		],
	},
	"F14: istiod's probe of its own webhook": {
		objects: [
			{
				...networking("Gateway", "invalid-gateway", {}, "istio-system"),
				metadata: {
					name: "invalid-gateway",
					namespace: "istio-system",
					annotations: { "internal.istio.io/webhook-always-reject": "true" },
				},
			},
		],
	},
	"F15: a VirtualService that istiod makes of a route": {
		objects: [
			{
				...virtual("internal", {
					hosts: ["shop.example.com"],
					gateways: ["shop/front-istio-autogenerated-k8s-gateway-http"],
					http: [http(inside)],
				}),
				metadata: {
					name: "internal",
					namespace: "shop",
					annotations: { "internal.istio.io/route-semantics": "gateway" },
				},
			},
		],
	},
};

const own = { "istio.io/use-waypoint": "own" };
const bank = governed("bank", { waypoint: "bank/own" });
const ownWaypoint = (namespace: string): AnyObject => ({
	...waypoint("own"),
	metadata: { name: "own", namespace },
});
const ledger = (spec: object): AnyObject => ({
	...hostEntry("vm.example.com", "shop", "ledger"),
	...{
		spec: {
			hosts: ["vm.example.com"],
			location: "MESH_EXTERNAL",
			addresses: ["198.51.100.7"],
			ports: [{ number: 5432, name: "tcp", protocol: "TCP" }],
			...spec,
		},
	},
});

const controls: Readonly<Record<string, Calm>> = {
	"one host of two namespaces, each with a waypoint of its own": {
		given: [governed("shop", { waypoint: "shop/own" }), bank],
		objects: ["shop", "bank"].flatMap((namespace) => {
			const entry = hostEntry("maps.example.com", namespace, "maps");
			const pair = { ...own, "istio.io/use-waypoint-namespace": namespace };
			return [ownWaypoint(namespace), withLabels(entry, pair)];
		}),
	},
	"an address that its clients ask for, with resolution NONE and no endpoint": {
		given: [egressNamespace, egressWaypoint, governed("shop", {})],
		objects: [ledger({ resolution: "NONE" })],
	},
	"an address that is an endpoint, too, behind a waypoint that serves workloads as well": {
		given: [
			{
				apiVersion: "v1",
				kind: "Namespace",
				metadata: {
					name: "shop",
					labels: { "istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "all" },
				},
			},
		],
		objects: [
			waypoint("all", { "istio.io/waypoint-for": "all" }),
			{
				...ledger({ resolution: "STATIC", endpoints: [{ address: "198.51.100.7" }] }),
				metadata: { name: "ledger", namespace: "shop" },
			},
		],
	},
	"a route from port 80 to port 443, where TLS begins": {
		objects: [
			hostEntry("api.example.com"),
			networking("DestinationRule", "tls", {
				host: "api.example.com",
				trafficPolicy: { portLevelSettings: [{ port: { number: 443 }, tls: { mode: "SIMPLE" } }] },
			}),
			virtual("api", {
				hosts: ["api.example.com"],
				http: [
					{
						match: [{ port: 80 }],
						route: [{ destination: { host: "api.example.com", port: { number: 443 } } }],
					},
				],
			}),
		],
	},
	"a Service that stands at a waypoint with a gateway's name, and its route": {
		objects: [
			waypoint("egress-gateway"),
			service(
				"web",
				"shop",
				{ clusterIP: "10.96.0.44", ports: [{ port: 80 }] },
				{ "istio.io/use-waypoint": "egress-gateway" },
			),
			virtual("web", { hosts: ["web"], http: [http("web")] }),
		],
	},
	"a corporate host that the configuration calls internal": {
		settings: { internal: { hosts: ["corp.example"], addresses: ["10.0.0.0/8"] } },
		objects: [
			networking("ServiceEntry", "git", {
				hosts: ["git.corp.example"],
				location: "MESH_INTERNAL",
				resolution: "STATIC",
				ports: [{ number: 443, name: "tls", protocol: "TLS" }],
				endpoints: [{ address: "10.9.9.9" }],
			}),
		],
	},
};

/** What is said of each object, written by a developer into a world where the others stand. */
function said({ objects, settings = {} }: Calm, given: readonly AnyObject[]): readonly string[] {
	const state = world([...given, ...objects], { ...editors, ...settings, defaults: { ambient: "enforced" } });
	return objects.flatMap((object) => {
		const { findings, faults } = evaluate(engine, state, { ...subjectOf(object), requester: developer });
		assert.deepEqual(faults, []);
		return findings.map(
			({ severity, rule }) => `${object.kind} ${object.metadata?.name}: ${severity} ${rule}`,
		);
	});
}

/** The same without what the namespaces' annotations say. */
function ungoverned(given: readonly AnyObject[]): readonly AnyObject[] {
	return given.map((each) =>
		each.kind === "Namespace"
			? ({ ...each, metadata: { name: each.metadata?.name, labels: each.metadata?.labels } } as AnyObject)
			: each,
	);
}

describe("no false alarm", () => {
	for (const [what, calm] of Object.entries({ ...traps, ...controls })) {
		it(`evaluate() ${calm.warns === undefined ? "says nothing" : "refuses nothing"} of ${what}`, () => {
			const { given = shop, warns = [] } = calm;
			assert.deepEqual(said(calm, ungoverned(given)), [], "where ambient is enforced");
			assert.deepEqual(said(calm, given), warns, "where there is a policy");
		});
	}

	it("evaluate() is asked of fifteen traps, and speaks of what they are mistaken for", () => {
		assert.equal(new Set(Object.keys(traps).map((name) => name.split(":")[0])).size, 15);
		const way = virtual("way", { hosts: ["api.example.com"], http: [http("files.example.org")] });
		assert.deepEqual(said({ objects: [hostEntry("api.example.com"), way] }, shop), [
			"VirtualService way: error virtualservice-policy-destination",
		]);
		// The front door is none where an entry has the host: the waypoint takes the route.
		const hairpin = virtual("hairpin", {
			hosts: ["api.example.com"],
			http: [http("istio-ingressgateway.istio-system.svc.cluster.local")],
		});
		assert.deepEqual(said({ objects: [hostEntry("api.example.com"), hairpin] }, shop), [
			"VirtualService hairpin: error virtualservice-policy-destination",
		]);
	});
});
