import type { AnyObject } from "../../../src/core/kinds.ts";
import { serviceWaypointRoute as rule } from "../../../src/rules/policy/service-waypoint-route.ts";
import { governed, networking, twoTeams } from "../../support/governed-shop.ts";
import { hostname, routeOf } from "../../support/route-backends.ts";
import { testRule } from "../../support/test-rule.ts";

const shared = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };
const istiod = "istiod.istio-system.svc.cluster.local";

function service(labels: object = shared, spec: object = { selector: { app: "x" } }): AnyObject {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name: "x", namespace: "shop", labels },
		spec,
	} as AnyObject;
}

function virtualService(host: string, to = istiod, namespace = "shop"): AnyObject {
	return networking(
		"VirtualService",
		"way",
		{ hosts: [host], http: [{ route: [{ destination: { host: to } }] }] },
		namespace,
	);
}

const onService = { group: "", kind: "Service", name: "x" };
const byReference = { kind: "Service", name: "ledger", namespace: "bank", port: 80 };
const warned = ['warning metadata.labels["istio.io/use-waypoint"]'];

testRule(rule, {
	"warns of a Service that is bound after the VirtualService which leads its requests elsewhere": [
		{
			object: service(),
			given: [...twoTeams, virtualService("x.shop.svc.cluster.local")],
			finds: warned,
			says: /^VirtualService way leads requests for "x\.shop\.svc\.cluster\.local" to the Service istio-system\/istiod, where they arrive with the identity of istio-egress\/egress/,
		},
		{ object: service(), old: service({}), given: [...twoTeams, virtualService("x")], finds: warned },
		{ object: service(), given: [...twoTeams, virtualService("*.shop.svc.cluster.local")], finds: warned },
		{ object: service(), given: [...twoTeams, virtualService("*.local")], finds: warned },
	],
	"warns of every other way that a VirtualService has": [
		{
			object: service(),
			given: [
				...twoTeams,
				networking("VirtualService", "way", {
					hosts: ["x"],
					tcp: [{ route: [{ destination: { host: istiod } }] }],
				}),
			],
			finds: warned,
		},
		{
			object: service(),
			given: [
				...twoTeams,
				networking("VirtualService", "way", {
					hosts: ["x"],
					http: [{ route: [{ destination: { host: "x" } }], mirror: { host: istiod } }],
				}),
			],
			finds: warned,
		},
	],
	"warns of routes of the Gateway API that name a host": [
		"HTTPRoute",
		"GRPCRoute",
		"TLSRoute",
		"TCPRoute",
	].map((kind) => ({
		object: service(),
		given: [...twoTeams, routeOf(kind, [{ backendRefs: [hostname(istiod)] }], onService)],
		finds: warned,
		says: new RegExp(`^${kind} api leads requests for `),
	})),
	"leaves what the other namespace grants, and other Services of the namespace, alone": [
		{
			object: service(),
			given: [...twoTeams, routeOf("HTTPRoute", [{ backendRefs: [byReference] }], onService)],
			finds: [],
		},
		{ object: service(), given: [...twoTeams, virtualService("x", "y.shop.svc.cluster.local")], finds: [] },
		{ object: service(), given: [...twoTeams, virtualService("y")], finds: [] },
		{
			object: service(),
			given: [...twoTeams, virtualService("x.shop.svc.cluster.local", istiod, "bank")],
			finds: [],
		},
	],
	"leaves Services alone that take no shared waypoint": [
		{ object: service({}), given: [...twoTeams, virtualService("x")], finds: [] },
		{
			object: service({ "istio.io/use-waypoint": "own" }),
			given: [...twoTeams, virtualService("x")],
			finds: [],
		},
		{
			object: service({ "istio.io/use-waypoint": "egress" }),
			given: [governed("shop", { waypoint: "shop/egress" }), virtualService("x")],
			finds: [],
		},
		{
			object: service(shared, { type: "ExternalName", externalName: "api.shop.example" }),
			given: [...twoTeams, virtualService("x")],
			finds: [],
		},
		{ object: service(), given: [virtualService("x")], finds: [] },
	],
});
