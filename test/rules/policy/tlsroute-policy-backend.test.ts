import type { AnyObject } from "../../../src/core/kinds.ts";
import { tlsroutePolicyBackend as rule } from "../../../src/rules/policy/tlsroute-policy-backend.ts";
import { twoTeams } from "../../support/governed-shop.ts";
import { testRule } from "../../support/test-rule.ts";

const entryParent = { group: "networking.istio.io", kind: "ServiceEntry", name: "api" };
const hostname = (name: string, port = 80): object => ({
	group: "networking.istio.io",
	kind: "Hostname",
	name,
	port,
});

function route(rules: readonly object[], parent: object = entryParent): AnyObject {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind: "TLSRoute",
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

const given = twoTeams;
const backend = "error spec.rules[0].backendRefs[0].name";

testRule(rule, {
	"refuses requests for an allowed host that go to another namespace's host": {
		object: route([{ backendRefs: [hostname("files.bank.example")] }]),
		given,
		finds: [backend],
		says: /^Destination "files\.bank\.example" is not among the hosts/,
	},
	"refuses it from a Service of the namespace's own, too": {
		object: route([{ backendRefs: [hostname("files.bank.example")] }], {
			group: "",
			kind: "Service",
			name: "x",
		}),
		given,
		finds: [backend],
	},
	"refuses it from an ordinary Gateway of the namespace's own": {
		object: route([{ backendRefs: [hostname("files.bank.example")] }], { name: "front" }),
		given: [...given, gateway("front", "istio")],
		finds: [backend],
	},
	"warns of an allowed host that leaves by an ordinary Gateway": {
		object: route([{ backendRefs: [hostname("api.shop.example")] }], { name: "front" }),
		given: [...given, gateway("front", "istio")],
		finds: ["warning spec.rules[0].backendRefs[0].name"],
		says: /past istio-egress\/egress/,
	},
	"warns of it where the Gateway is not there yet": {
		object: route([{ backendRefs: [hostname("api.shop.example")] }], { name: "front" }),
		given,
		finds: ["warning spec.rules[0].backendRefs[0].name"],
	},
	"lets a route stand on the waypoint itself": {
		object: route([{ backendRefs: [hostname("api.shop.example")] }], {
			name: "egress",
			namespace: "istio-egress",
		}),
		given,
		finds: [],
	},
	"refuses a Service that is an ExternalName": {
		object: route([{ backendRefs: [{ name: "files", port: 80 }] }]),
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
		object: route([{ backendRefs: [{ name: "istiod", namespace: "istio-system", port: 15014 }] }]),
		given,
		finds: [backend],
		says: /identity of istio-egress\/egress/,
	},
	"refuses a port that the namespace may not use": {
		object: route([{ backendRefs: [hostname("api.shop.example", 22)] }]),
		given,
		finds: [backend],
	},
	"accepts a host that leads to itself and to Services of the namespace": {
		object: route([{ backendRefs: [hostname("api.shop.example", 443), { name: "orders", port: 80 }] }]),
		given,
		finds: [],
	},
});
