import type { AnyObject } from "../../../src/core/kinds.ts";
import { withLabels } from "../../../src/rules/examples.ts";
import { virtualservicePolicyDestination as rule } from "../../../src/rules/policy/virtualservice-policy-destination.ts";
import { governed, networking, twoTeams } from "../../support/governed-shop.ts";
import { testRule } from "../../support/test-rule.ts";

function virtualService(spec: object): AnyObject {
	return networking("VirtualService", "api", { hosts: ["api.shop.example"], ...spec });
}

function toHost(host: string, number = 80): object {
	return { route: [{ destination: { host, port: { number } } }] };
}

const given = twoTeams;
const destination = "error spec.http[0].route[0].destination.host";
const service = (namespace: string, name: string, spec: object = {}): AnyObject =>
	({ apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec }) as AnyObject;
const shared = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };
const istiod = "istiod.istio-system.svc.cluster.local";
const ingress = networking("Gateway", "in", { selector: { istio: "ingressgateway" }, servers: [] });

const rootOf = (namespace: string): AnyObject =>
	networking("VirtualService", "root", {
		hosts: ["api.shop.example"],
		http: [{ delegate: { name: "child", namespace } }],
	});

testRule(rule, {
	"refuses requests for an allowed host that go to another namespace's host": {
		object: virtualService({ http: [toHost("files.bank.example")] }),
		given,
		finds: [destination],
		says: /^Destination "files\.bank\.example" is not among the hosts that this namespace's policy allows/,
	},
	"refuses it in another spelling": {
		object: virtualService({ http: [toHost("FILES.bank.example.")] }),
		given,
		finds: [destination],
	},
	"refuses TLS and TCP routes that go there": {
		object: virtualService({
			tls: [{ match: [{ sniHosts: ["api.shop.example"] }], ...toHost("files.bank.example", 443) }],
			tcp: [toHost("files.bank.example", 443)],
		}),
		given,
		finds: ["error spec.tls[0].route[0].destination.host", "error spec.tcp[0].route[0].destination.host"],
	},
	"refuses a copy of the requests": {
		object: virtualService({
			http: [
				{
					...toHost("api.shop.example"),
					mirror: { host: "files.bank.example" },
					mirrors: [{ destination: { host: "files.bank.example" } }],
				},
			],
		}),
		given,
		finds: ["error spec.http[0].mirror.host", "error spec.http[0].mirrors[0].destination.host"],
	},
	"refuses what a delegate leads to, at the delegate and at its root": {
		object: networking("VirtualService", "root", {
			hosts: ["api.shop.example"],
			http: [{ delegate: { name: "child" } }],
		}),
		given: [...given, networking("VirtualService", "child", { http: [toHost("files.bank.example")] })],
		finds: ["error spec.http[0].delegate.name"],
	},
	"refuses a delegate without its root": {
		object: networking("VirtualService", "child", { http: [toHost("files.bank.example")] }),
		given,
		finds: [destination],
	},
	"refuses what a delegate of another namespace leads to, when the delegate is written after its root": {
		object: networking("VirtualService", "child", { http: [toHost("files.bank.example")] }, "free"),
		given: [...given, rootOf("free")],
		finds: [destination],
		says: /^VirtualService shop\/root delegates to this one: Destination "files\.bank\.example" /,
	},
	"refuses the authority that a delegate writes, at the delegate and at its root": {
		object: rootOf("free"),
		given: [
			...given,
			networking(
				"VirtualService",
				"child",
				{ http: [{ ...toHost("api.shop.example"), rewrite: { authority: "files.bank.example" } }] },
				"free",
			),
		],
		finds: ["error spec.http[0].delegate.name"],
	},
	"leaves a delegate alone whose root may reach the host": {
		object: networking("VirtualService", "child", { http: [toHost("www.payments.example")] }, "free"),
		given: [...given, rootOf("free")],
		finds: [],
	},
	"leaves a delegate of another namespace alone that no root names": {
		object: networking("VirtualService", "child", { http: [toHost("files.bank.example")] }, "free"),
		given: [...given, rootOf("elsewhere")],
		finds: [],
	},
	"refuses an authority for clients of the mesh that is no allowed host": {
		object: virtualService({
			http: [
				{ ...toHost("api.shop.example"), rewrite: { authority: "files.bank.example" } },
				{ redirect: { authority: "files.bank.example:8443" } },
			],
		}),
		given,
		finds: [
			"error spec.http[0].rewrite.authority",
			"error spec.http[1].redirect.authority",
			"error spec.http[1].redirect.authority",
		],
	},
	"refuses an authority that is written as a header, whatever its spelling": {
		object: virtualService({
			http: [
				{
					route: [
						{
							destination: { host: "api.shop.example" },
							headers: { request: { add: { ":authority": "files.bank.example" } } },
						},
					],
					headers: { request: { set: { Host: "files.bank.example", "x-team": "files.bank.example" } } },
				},
			],
		}),
		given,
		finds: [
			"error spec.http[0].headers.request.set.Host",
			'error spec.http[0].route[0].headers.request.add[":authority"]',
		],
	},
	"accepts an allowed host as a header": {
		object: virtualService({
			http: [
				{ ...toHost("api.shop.example"), headers: { request: { set: { host: "www.payments.example" } } } },
			],
		}),
		given,
		finds: [],
	},
	"lets a gateway redirect its own clients": {
		object: virtualService({
			hosts: ["out.shop.internal"],
			gateways: ["in"],
			http: [{ redirect: { authority: "www.shop.example" } }],
		}),
		given: [...given, ingress],
		finds: [],
	},
	"refuses a port that the namespace may not use": {
		object: virtualService({ http: [toHost("x.payments.example", 22)] }),
		given,
		finds: [destination],
		says: /port 22 /,
	},
	"refuses a Service of the cluster that is an ExternalName": {
		object: virtualService({ http: [toHost("files"), toHost("files.shop.svc.cluster.local")] }),
		given: [...given, service("shop", "files", { type: "ExternalName", externalName: "files.bank.example" })],
		finds: [destination, "error spec.http[1].route[0].destination.host"],
		says: /^Destination "files\.bank\.example" /,
	},
	"refuses a name of the cluster that a ServiceEntry leads out": {
		object: virtualService({ http: [toHost("relay.bank.svc.cluster.local")] }),
		given: [
			...given,
			networking(
				"ServiceEntry",
				"relay",
				{ hosts: ["relay.bank.svc.cluster.local"], location: "MESH_EXTERNAL", resolution: "DNS" },
				"bank",
			),
		],
		finds: [destination],
	},
	"refuses it behind an entry that only calls itself internal": {
		object: virtualService({ hosts: ["own.shop.example"], http: [toHost("vault.bank.svc.cluster.local")] }),
		given: [
			...given,
			service("bank", "vault"),
			networking("ServiceEntry", "own", {
				hosts: ["own.shop.example"],
				location: "MESH_INTERNAL",
				resolution: "DNS",
			}),
		],
		finds: [destination],
	},
	"warns of it before any entry has the host": {
		object: virtualService({ hosts: ["new.shop.example"], http: [toHost("vault.bank.svc.cluster.local")] }),
		given: [...given, service("bank", "vault")],
		finds: [destination.replace("error", "warning")],
	},
	"refuses another namespace's Service behind an external host, which lends the waypoint's identity": {
		object: virtualService({ http: [toHost("istiod.istio-system.svc.cluster.local", 15014)] }),
		given,
		finds: [destination],
		says: /with the identity of istio-egress\/egress instead of their own$/,
	},
	"lets a Service of the own namespace stand in for an external host": {
		object: virtualService({ http: [toHost("cache")] }),
		given: [...given, service("shop", "cache")],
		finds: [],
	},
	"lets a Service's requests go to Services, wherever they are": {
		object: networking("VirtualService", "orders", {
			hosts: ["orders.shop.svc.cluster.local"],
			http: [toHost("orders.shop.svc.cluster.local"), toHost("orders.bank"), toHost("orders.bank.svc")],
		}),
		given,
		finds: [],
	},
	"warns where clients come to that Service by the waypoint of the policy, whose identity is lent": {
		object: networking("VirtualService", "orders", {
			hosts: ["orders.shop.svc.cluster.local"],
			http: [toHost("istiod.istio-system.svc.cluster.local", 15014)],
		}),
		given: [
			...given,
			{
				apiVersion: "v1",
				kind: "Service",
				metadata: {
					name: "orders",
					namespace: "shop",
					labels: {
						"istio.io/use-waypoint": "egress",
						"istio.io/use-waypoint-namespace": "istio-egress",
					},
				},
				spec: {},
			} as AnyObject,
		],
		finds: ["warning spec.http[0].route[0].destination.host"],
		says: /with the identity of istio-egress\/egress instead of their own$/,
	},
	"warns of a wildcard that stands for a Service at a shared waypoint, and of a Service that will be there by its Namespace":
		[
			...["*.shop.svc.cluster.local", "*.local"].map((host) => ({
				object: networking("VirtualService", "x", { hosts: [host], http: [toHost(istiod)] }),
				given: [
					...given,
					{
						...service("shop", "x"),
						metadata: { name: "x", namespace: "shop", labels: shared },
					} as AnyObject,
				],
				finds: ["warning spec.http[0].route[0].destination.host"],
				says: /with the identity of istio-egress\/egress instead of their own$/,
			})),
			{
				object: networking("VirtualService", "x", { hosts: ["x"], http: [toHost(istiod)] }),
				given: given.map((each) =>
					each.metadata?.name === "shop" && each.metadata.namespace === undefined
						? withLabels(each, shared)
						: each,
				),
				finds: ["warning spec.http[0].route[0].destination.host"],
			},
		],
	"leaves a Service at a waypoint of its own namespace alone": {
		object: networking("VirtualService", "x", { hosts: ["x"], http: [toHost(istiod)] }),
		given: [
			governed("shop", { waypoint: "shop/own" }),
			{
				...service("shop", "x"),
				metadata: { name: "x", namespace: "shop", labels: { "istio.io/use-waypoint": "own" } },
			} as AnyObject,
		],
		finds: [],
	},
	"warns of an allowed host that leaves by a gateway": {
		object: networking("VirtualService", "out", {
			hosts: ["*"],
			gateways: ["out"],
			http: [toHost("api.shop.example")],
		}),
		given: [...given, networking("Gateway", "out", { selector: { app: "proxy" }, servers: [] })],
		finds: ["warning spec.http[0].route[0].destination.host"],
		says: /through the Gateway shop\/out, whose pods connect directly: past istio-egress\/egress/,
	},
	"refuses a forbidden host by whatever gateway it leaves": {
		object: networking("VirtualService", "in", {
			hosts: ["out.shop.internal"],
			gateways: ["in"],
			http: [{ ...toHost("files.bank.example"), rewrite: { authority: "files.bank.example" } }],
		}),
		given: [...given, ingress],
		finds: [destination],
	},
	"accepts an ingress route to a Service of the cluster": {
		object: networking("VirtualService", "www", {
			hosts: ["www.shop.example"],
			gateways: ["mesh", "in"],
			http: [toHost("www.shop.svc.cluster.local")],
		}),
		given: [...given, ingress],
		finds: [],
	},
	"accepts a host that leads to itself, on another port, and a wildcard's name": {
		object: virtualService({ http: [toHost("api.shop.example", 443), toHost("x.payments.example")] }),
		given,
		finds: [],
	},
	"has nothing to say where no policy limits the namespace": {
		object: networking(
			"VirtualService",
			"api",
			{ hosts: ["a.example"], http: [toHost("b.example")] },
			"free",
		),
		given,
		finds: [],
	},
	"holds every namespace to the cluster's limits": {
		object: networking(
			"VirtualService",
			"api",
			{ hosts: ["a.example"], http: [toHost("b.example")] },
			"free",
		),
		given,
		settings: { limits: { allowedHosts: ["a.example"] } },
		finds: [destination],
		says: /the cluster's limits allow/,
	},
});
