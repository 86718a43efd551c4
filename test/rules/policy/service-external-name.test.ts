import type { AnyObject, Service, ServiceEntry } from "../../../src/core/kinds.ts";
import {
	boundEntry,
	plainEntry,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../../../src/rules/examples.ts";
import { serviceExternalName } from "../../../src/rules/policy/service-external-name.ts";
import { networking } from "../../support/governed-shop.ts";
import { testRule } from "../../support/test-rule.ts";

const [policed = teamNamespace] = serviceExternalName.docs.given ?? [];
const alias = (externalName: string, name = "ledger"): Service => ({
	apiVersion: "v1",
	kind: "Service",
	metadata: { name, namespace: "team" },
	spec: { type: "ExternalName", externalName },
});
const entryTo = (address: string): ServiceEntry => withSpec(boundEntry, { endpoints: [{ address }] });
const route = (kind: string, backend: object): AnyObject =>
	({
		apiVersion: "gateway.networking.k8s.io/v1",
		kind,
		metadata: { name: "way", namespace: "team" },
		spec: {
			parentRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "payments" }],
			rules: [{ backendRefs: [backend] }],
		},
	}) as AnyObject;
const toLedger = { host: "ledger.team.svc.cluster.local" };
const virtualService = (http: readonly object[]): AnyObject =>
	networking("VirtualService", "way", { hosts: ["api.payments.example.com"], http }, "team");
const error = ["error spec.externalName"];

testRule(serviceExternalName, {
	"refuses an alias that leads an endpoint outside the policy, when it is written after the entry": {
		object: alias("files.example.org"),
		finds: error,
		says: /^Leads the traffic of ServiceEntry team\/payments elsewhere: destination "files\.example\.org" is not among the hosts/,
	},
	"refuses a change of an alias that was allowed": {
		object: alias("files.example.org"),
		old: alias("ledger.example.com"),
		finds: error,
	},
	"refuses a Service of pods that becomes an alias": {
		object: alias("files.example.org"),
		old: { ...alias(""), spec: { type: "ClusterIP", clusterIP: "10.96.0.7" } } as AnyObject,
		finds: error,
	},
	"follows aliases of aliases, and the short forms of names": {
		object: alias("files.example.org", "last"),
		given: [
			policed,
			alias("last.team.svc", "middle"),
			alias("middle.team.svc.cluster.local", "first"),
			entryTo("first.team.svc"),
		],
		finds: error,
	},
	"gives up in a circle": {
		object: alias("two.team.svc.cluster.local", "one"),
		given: [policed, alias("one.team.svc.cluster.local", "two"), entryTo("one.team.svc.cluster.local")],
		finds: [],
	},
	"refuses an alias that takes a name of the cluster outside, where an entry without endpoints has that name":
		{
			object: alias("ledger.example.com"),
			old: { ...alias(""), spec: { type: "ClusterIP", clusterIP: "10.96.0.7" } } as AnyObject,
			given: [
				policed,
				withSpec(plainEntry, { hosts: ["ledger.team.svc.cluster.local"], location: "MESH_INTERNAL" }),
			],
			finds: error,
			says: /host "ledger\.team\.svc\.cluster\.local" is not among the hosts/,
		},
	"refuses an alias to which a VirtualService leads": {
		object: alias("files.example.org"),
		given: [
			policed,
			boundEntry,
			{
				apiVersion: "networking.istio.io/v1",
				kind: "VirtualService",
				metadata: { name: "way", namespace: "team" },
				spec: {
					hosts: ["api.payments.example.com"],
					http: [{ route: [{ destination: { host: "ledger.team.svc.cluster.local" } }] }],
				},
			} as AnyObject,
		],
		finds: error,
		says: /^Leads requests of VirtualService team\/way elsewhere/,
	},
	"refuses an alias to which a route of the Gateway API leads": {
		object: alias("files.example.org"),
		given: [policed, boundEntry, route("TCPRoute", { name: "ledger", port: 443 })],
		finds: error,
		says: /^Leads requests of TCPRoute team\/way elsewhere/,
	},
	"refuses an alias to which requests are copied": ["mirror", "mirrors"].map((field) => ({
		object: alias("files.example.org"),
		given: [
			policed,
			boundEntry,
			virtualService([
				{
					route: [{ destination: { host: "api.payments.example.com" } }],
					...(field === "mirror" ? { mirror: toLedger } : { mirrors: [{ destination: toLedger }] }),
				},
			]),
		],
		finds: error,
	})),
	"refuses an alias to which a route leads by its host, or from another namespace": [
		{
			object: alias("files.example.org"),
			given: [
				policed,
				route("HTTPRoute", {
					group: "networking.istio.io",
					kind: "Hostname",
					name: "ledger.team.svc.cluster.local",
					port: 443,
				}),
			],
			finds: error,
		},
		{
			object: { ...alias("files.example.org"), metadata: { name: "ledger", namespace: "other" } },
			given: [policed, route("HTTPRoute", { name: "ledger", namespace: "other", port: 443 })],
			finds: error,
			says: /^Leads requests of HTTPRoute team\/way elsewhere/,
		},
	],
	"refuses an alias for the ports of a route, and the server of a DestinationRule, that then count": [
		{
			object: alias("ledger.example.com"),
			given: [
				withAnnotations(teamNamespace, {
					"egress.waymark.dev/allowed-hosts": "*.example.com",
					"egress.waymark.dev/allowed-ports": "443",
				}),
				virtualService([{ route: [{ destination: { ...toLedger, port: { number: 22 } } }] }]),
			],
			finds: error,
			says: /elsewhere: requests would leave for port 22/,
		},
		{
			object: alias("ledger.example.com"),
			given: [
				policed,
				networking(
					"DestinationRule",
					"way",
					{ host: "ledger", trafficPolicy: { tls: { mode: "SIMPLE", sni: "files.example.org" } } },
					"team",
				),
			],
			finds: error,
			says: /^Leads requests of DestinationRule team\/way elsewhere: SNI|elsewhere: sNI/,
		},
	],
	"holds an alias to the root of a delegate that leads there": {
		object: { ...alias("files.example.org"), metadata: { name: "ledger", namespace: "free" } },
		given: [
			policed,
			networking(
				"VirtualService",
				"child",
				{ http: [{ route: [{ destination: { host: "ledger" } }] }] },
				"free",
			),
			virtualService([{ delegate: { name: "child", namespace: "free" } }]),
		],
		finds: error,
		says: /^Leads requests of VirtualService team\/way elsewhere/,
	},
	"warns of an alias by which a gateway's pods leave past the waypoint": {
		object: alias("ledger.example.com"),
		given: [
			withAnnotations(teamNamespace, {
				"egress.waymark.dev/waypoint": "istio-egress/egress",
				"egress.waymark.dev/allowed-hosts": "*.example.com",
			}),
			{
				...route("HTTPRoute", { name: "ledger", port: 443 }),
				spec: { parentRefs: [{ name: "front" }], rules: [{ backendRefs: [{ name: "ledger", port: 443 }] }] },
			} as AnyObject,
		],
		finds: ["warning spec.externalName"],
		says: /elsewhere: sends requests for "ledger\.example\.com" out through the Gateway front/,
	},
	"is silent where nothing leads to the alias": {
		object: alias("files.example.org", "other"),
		finds: [],
	},
	"is silent about an allowed host, and about an update that leads where it led": {
		object: {
			...alias("files.example.org"),
			metadata: { name: "ledger", namespace: "team", labels: { a: "b" } },
		},
		old: alias("files.example.org"),
		finds: [],
	},
	"is silent about a Service of pods": {
		object: { ...alias(""), spec: { type: "ClusterIP", clusterIP: "10.96.0.7" } },
		finds: [],
	},
	"stands up to nothing": { object: { ...alias(""), spec: { type: "ExternalName" } }, finds: [] },
});
