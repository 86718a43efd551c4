import type { AnyObject } from "../../src/core/kinds.ts";
import { governed, twoTeams } from "./governed-shop.ts";
import type { RuleCase } from "./test-rule.ts";

const entryParent = { group: "networking.istio.io", kind: "ServiceEntry", name: "api" };

/** A backend that is a host which some ServiceEntry names. */
export function hostname(name: string, port = 80): object {
	return { group: "networking.istio.io", kind: "Hostname", name, port };
}

/** A route of a kind in the namespace `shop` that stands on its entry `api`, or on another parent. */
export function routeOf(kind: string, rules: readonly object[], parent: object = entryParent): AnyObject {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind,
		metadata: { name: "api", namespace: "shop" },
		spec: { parentRefs: [parent], rules },
	} as AnyObject;
}

function gateway(name: string, gatewayClassName: string): AnyObject {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "Gateway",
		metadata: { name, namespace: "shop" },
		spec: { gatewayClassName, listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
	} as AnyObject;
}

function service(name: string, spec: object, labels: object = {}): AnyObject {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, namespace: "shop", labels },
		spec,
	} as AnyObject;
}

const shared = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };
const onService = { group: "", kind: "Service", name: "x" };
const imported = { group: "multicluster.x-k8s.io", kind: "ServiceImport", port: 80 };
const given = twoTeams;
const externalBackend = { group: "gateway.networking.x-k8s.io", kind: "XBackend", name: "crm" };
const backend = "error spec.rules[0].backendRefs[0].name";

/** What holds for the backends of the routes of every kind of the Gateway API. */
export function backendCases(kind: string): Readonly<Record<string, RuleCase | readonly RuleCase[]>> {
	return {
		"refuses requests for an allowed host that go to another namespace's host": {
			object: routeOf(kind, [{ backendRefs: [hostname("files.bank.example")] }]),
			given,
			finds: [backend],
			says: /^Destination "files\.bank\.example" is not among the hosts/,
		},
		"refuses an XBackend, whose host nobody reads, where hosts are limited": {
			object: routeOf(kind, [{ backendRefs: [externalBackend] }]),
			given,
			finds: [backend],
			says: /^XBackend crm names a host of its own, which nobody holds to the hosts/,
		},
		"warns of an XBackend where only a waypoint is named, and is silent where nothing is": [
			{
				object: routeOf(kind, [{ backendRefs: [externalBackend] }]),
				given: [governed("shop", {})],
				finds: ["warning spec.rules[0].backendRefs[0].name"],
				says: /nothing binds it to istio-egress\/egress$/,
			},
			{
				object: routeOf(kind, [{ backendRefs: [externalBackend] }]),
				given: [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } }],
				finds: [],
			},
		],
		"refuses it from a Service of the namespace's own, too": {
			object: routeOf(kind, [{ backendRefs: [hostname("files.bank.example")] }], {
				group: "",
				kind: "Service",
				name: "x",
			}),
			given,
			finds: [backend],
		},
		"refuses an alias that is reached as a ServiceImport": {
			object: routeOf(kind, [{ backendRefs: [{ ...imported, name: "away" }] }]),
			given: [...given, service("away", { type: "ExternalName", externalName: "files.bank.example" })],
			finds: [backend],
			says: /^Destination "files\.bank\.example" is not among the hosts/,
		},
		"warns of a host of another namespace from a Service at a shared waypoint, and not of what is granted": [
			{
				object: routeOf(kind, [{ backendRefs: [hostname("ledger.bank.svc.cluster.local")] }], onService),
				given: [...given, service("x", { selector: { app: "x" } }, shared)],
				finds: ["warning spec.rules[0].backendRefs[0].name"],
				says: /^Leads requests for "x\.shop\.svc\.cluster\.local" to the Service bank\/ledger, where they arrive with the identity/,
			},
			{
				object: routeOf(
					kind,
					[{ backendRefs: [{ name: "ledger", namespace: "bank", port: 80 }] }],
					onService,
				),
				given: [...given, service("x", { selector: { app: "x" } }, shared)],
				finds: [],
			},
			{
				object: routeOf(kind, [{ backendRefs: [hostname("ledger.bank.svc.cluster.local")] }], onService),
				given: [...given, service("x", { selector: { app: "x" } })],
				finds: [],
			},
		],
		"refuses it from an ordinary Gateway of the namespace's own": {
			object: routeOf(kind, [{ backendRefs: [hostname("files.bank.example")] }], { name: "front" }),
			given: [...given, gateway("front", "istio")],
			finds: [backend],
		},
		"warns of an allowed host that leaves by an ordinary Gateway": {
			object: routeOf(kind, [{ backendRefs: [hostname("api.shop.example")] }], { name: "front" }),
			given: [...given, gateway("front", "istio")],
			finds: ["warning spec.rules[0].backendRefs[0].name"],
			says: /past istio-egress\/egress/,
		},
		"warns of it where the Gateway is not there yet": {
			object: routeOf(kind, [{ backendRefs: [hostname("api.shop.example")] }], { name: "front" }),
			given,
			finds: ["warning spec.rules[0].backendRefs[0].name"],
		},
		"lets a route stand on the waypoint itself": {
			object: routeOf(kind, [{ backendRefs: [hostname("api.shop.example")] }], {
				name: "egress",
				namespace: "istio-egress",
			}),
			given,
			finds: [],
		},
		"refuses a Service that is an ExternalName": {
			object: routeOf(kind, [{ backendRefs: [{ name: "files", port: 80 }] }]),
			given: [
				...given,
				{
					apiVersion: "v1",
					kind: "Service",
					metadata: { name: "files", namespace: "shop" },
					spec: { type: "ExternalName", externalName: "files.bank.example" },
				} as AnyObject,
			],
			finds: [backend],
		},
		"refuses another namespace's Service behind an external host": {
			object: routeOf(kind, [{ backendRefs: [{ name: "istiod", namespace: "istio-system", port: 15014 }] }]),
			given,
			finds: [backend],
			says: /identity of istio-egress\/egress/,
		},
		"refuses a port that the namespace may not use": {
			object: routeOf(kind, [{ backendRefs: [hostname("api.shop.example", 22)] }]),
			given,
			finds: [backend],
		},
		"accepts a host that leads to itself and to Services of the namespace": {
			object: routeOf(kind, [
				{ backendRefs: [hostname("api.shop.example", 443), { name: "orders", port: 80 }] },
			]),
			given,
			finds: [],
		},
	};
}

function header(name: string, value: string): object {
	return { type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name, value }] } };
}

/** What holds besides where a route can change or copy the requests that it carries. */
export function mirrorCases(kind: string): Readonly<Record<string, RuleCase | readonly RuleCase[]>> {
	return {
		"refuses an authority that is written as a header, by a rule or for a backend": {
			object: routeOf(kind, [
				{
					backendRefs: [{ ...hostname("api.shop.example"), filters: [header("host", "files.bank.example")] }],
					filters: [header("Host", "files.bank.example"), header("x-team", "files.bank.example")],
				},
			]),
			given,
			finds: [
				"error spec.rules[0].filters[0].requestHeaderModifier.set[0].value",
				"error spec.rules[0].backendRefs[0].filters[0].requestHeaderModifier.set[0].value",
			],
		},
		"accepts an allowed host as a header": {
			object: routeOf(kind, [
				{
					backendRefs: [hostname("api.shop.example")],
					filters: [header("Host", "www.payments.example")],
				},
			]),
			given,
			finds: [],
		},
		"refuses a copy of the requests": {
			object: routeOf(kind, [
				{
					backendRefs: [hostname("api.shop.example")],
					filters: [{ type: "RequestMirror", requestMirror: { backendRef: hostname("files.bank.example") } }],
				},
			]),
			given,
			finds: ["error spec.rules[0].filters[0].requestMirror.backendRef.name"],
		},
	};
}
