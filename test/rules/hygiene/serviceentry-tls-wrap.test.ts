import assert from "node:assert/strict";
import { it } from "node:test";
import type { AnyObject, DestinationRule } from "../../../src/core/kinds.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../../../src/rules/examples.ts";
import { serviceentryTlsWrap } from "../../../src/rules/hygiene/serviceentry-tls-wrap.ts";
import { spots } from "../../support/spots.ts";
import { testRule } from "../../support/test-rule.ts";

const world = [teamNamespace, egressNamespace, egressWaypoint];
const level: DestinationRule = {
	apiVersion: "networking.istio.io/v1",
	kind: "DestinationRule",
	metadata: { name: "payments", namespace: "team" },
	spec: {
		host: "api.payments.example.com",
		trafficPolicy: { tls: { mode: "SIMPLE" }, portLevelSettings: [{ port: { number: 443 } }] },
	},
};

const { bad, given = [] } = serviceentryTlsWrap.docs;
const destination = { host: "API.payments.example.com", port: { number: 443 } };
const virtualService = (port: number): AnyObject =>
	({
		apiVersion: "networking.istio.io/v1",
		kind: "VirtualService",
		metadata: { name: "payments", namespace: "team" },
		spec: {
			hosts: ["api.payments.example.com"],
			http: [{ route: [{ destination: { ...destination, port: { number: port } } }] }],
		},
	}) as AnyObject;
const httpRoute: AnyObject = {
	apiVersion: "gateway.networking.k8s.io/v1",
	kind: "HTTPRoute",
	metadata: { name: "payments", namespace: "team" },
	spec: {
		parentRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "payments", port: 80 }],
		rules: [{ backendRefs: [{ kind: "Hostname", name: "api.payments.example.com", port: 443 }] }],
	},
} as AnyObject;

testRule(serviceentryTlsWrap, {
	"is silent where the settings of the port replace those of the host": {
		object: boundEntry,
		given: [...world, level],
		finds: [],
	},
	"is silent where a route leads requests from the HTTP port to the port with TLS": [
		{ object: bad, given: [...given, virtualService(443)], finds: [] },
		{ object: bad, given: [...given, httpRoute], finds: [] },
		{ object: bad, given: [...given, virtualService(80)], finds: ["warning spec.ports[0]"] },
		{
			object: bad,
			given: [...given, { ...httpRoute, metadata: { name: "payments", namespace: "other" } }],
			finds: ["warning spec.ports[0]"],
		},
	],
});

it("serviceentry-tls-wrap goes by the oldest of several DestinationRules, as istiod, whichever was heard of first", () => {
	const { bad, given = [] } = serviceentryTlsWrap.docs;
	const rule = (name: string, mode: string, creationTimestamp: string): AnyObject =>
		({
			apiVersion: "networking.istio.io/v1",
			kind: "DestinationRule",
			metadata: { name, namespace: "team", creationTimestamp },
			spec: { host: "api.payments.example.com", trafficPolicy: { tls: { mode } } },
		}) as AnyObject;
	const others = given.filter(({ kind }) => kind !== "DestinationRule");
	const older = rule("z", "SIMPLE", "2026-01-01T00:00:00Z");
	const younger = rule("a", "DISABLE", "2026-01-02T00:00:00Z");
	for (const order of [
		[older, younger],
		[younger, older],
	]) {
		assert.deepEqual(spots(serviceentryTlsWrap, bad, [...others, ...order]), ["warning spec.ports[0]"]);
	}
	const same = rule("a", "DISABLE", "2026-01-01T00:00:00Z");
	for (const order of [
		[older, same],
		[same, older],
	]) {
		assert.deepEqual(spots(serviceentryTlsWrap, bad, [...others, ...order]), []);
	}
});
