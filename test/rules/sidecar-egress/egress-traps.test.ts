import assert from "node:assert/strict";
import { it } from "node:test";
import type { AnyObject } from "../../../src/core/kinds.ts";
import { egressFindings, egressRules, gatewayApi, istio, service } from "../../support/egress-rules.ts";
import { findings } from "../../support/rule-example.ts";

const http = (host: string, gateways?: readonly string[]): object => ({
	...(gateways === undefined ? {} : { match: [{ gateways }] }),
	route: [{ destination: { host } }],
});
const virtual = (name: string, spec: object): AnyObject => istio("VirtualService", name, spec);
const external = (host: string): AnyObject =>
	istio("ServiceEntry", host, { hosts: [host], location: "MESH_EXTERNAL", resolution: "DNS" });
const ingress = istio("Gateway", "public", {
	selector: { istio: "ingressgateway" },
	servers: [{ hosts: ["shop.example.com"], port: { number: 80, name: "http", protocol: "HTTP" } }],
});
const meshListener = [{ name: "mesh", port: 15008, protocol: "HBONE" }];
const waypoint = (name: string): AnyObject =>
	gatewayApi("Gateway", name, { gatewayClassName: "istio-waypoint", listeners: meshListener });

/** Nothing is found in any of the objects, alone or among its neighbours. */
function assertUntouched(objects: readonly AnyObject[], given: readonly AnyObject[] = []): void {
	for (const object of objects) {
		for (const neighbours of [[], [...objects, ...given]]) {
			const found = egressFindings(object, neighbours).map((finding) => finding.message);
			assert.deepEqual(found, [], `${object.kind} ${object.metadata?.name}`);
		}
	}
}

it("F1: an ingress Gateway and its routes into the cluster are left alone", () => {
	const spec = {
		hosts: ["shop.example.com"],
		gateways: ["public"],
		http: [http("shop.shop.svc.cluster.local")],
	};
	assertUntouched([ingress, virtual("shop", spec)]);
});

it("F2: a public host that stays in the cluster, inside and outside the mesh, is left alone", () => {
	const gateways = ["mesh", "public"];
	const inside = "shop.shop.svc.cluster.local";
	assertUntouched([
		ingress,
		virtual("shop", { hosts: ["shop.example.com"], gateways, http: [http(inside)] }),
		virtual("shop-split", {
			hosts: ["shop.example.com"],
			gateways,
			http: [http(inside, ["mesh"]), http("cdn.example.net", ["public"])],
		}),
		virtual("egress-portal", {
			hosts: ["egress.example.com"],
			gateways,
			http: [http("egress-portal.shop.svc.cluster.local")],
		}),
	]);
});

it("F3: a hairpin through the ingress gateway is left alone", () => {
	const host = "istio-ingressgateway.istio-system.svc.cluster.local";
	assertUntouched([
		virtual("hairpin", { hosts: ["shop.example.com"], http: [http(host)] }),
		istio("DestinationRule", "hairpin", { host }),
		gatewayApi("HTTPRoute", "hairpin", {
			parentRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "shop" }],
			rules: [{ backendRefs: [{ name: "public-ingress-istio", port: 80 }] }],
		}),
	]);
});

it("F4: an east-west gateway is left alone", () => {
	assertUntouched([
		istio("Gateway", "cross-network", {
			selector: { istio: "eastwestgateway" },
			servers: [{ hosts: ["*.local"], tls: { mode: "AUTO_PASSTHROUGH" } }],
		}),
		gatewayApi("Gateway", "east-west", { gatewayClassName: "istio-east-west", listeners: meshListener }),
	]);
});

it("F5: an ingress gateway in front of somebody else's service is left alone", () => {
	const saas = "api.saas.example.net";
	const listeners = [{ name: "http", hostname: "shop.example.com", port: 80, protocol: "HTTP" }];
	const backendRefs = [{ group: "networking.istio.io", kind: "Hostname", name: saas, port: 443 }];
	assertUntouched(
		[
			ingress,
			virtual("saas", { hosts: ["shop.example.com"], gateways: ["public"], http: [http(saas)] }),
			gatewayApi("Gateway", "front", { gatewayClassName: "istio", listeners }),
			gatewayApi("HTTPRoute", "saas", {
				parentRefs: [{ name: "front" }],
				hostnames: ["shop.example.com"],
				rules: [{ backendRefs }],
			}),
		],
		[external(saas)],
	);
});

it("F5: an ingress gateway that passes a host on to an entry of the same name is left alone", () => {
	const spec = { hosts: ["vm.example.com"], gateways: ["public"], http: [http("vm.example.com")] };
	assertUntouched([virtual("vm", spec)], [ingress, external("vm.example.com")]);
});

it("F6: waypoints, their routes, and TLS origination are left alone", () => {
	const parentRefs = [{ group: "networking.istio.io", kind: "ServiceEntry", name: "api" }];
	const backend = { group: "networking.istio.io", kind: "Hostname", name: "api.example.com", port: 443 };
	const rules = [{ backendRefs: [backend] }];
	assertUntouched([
		istio("ServiceEntry", "api", { hosts: ["api.example.com"], resolution: "DNS" }),
		waypoint("waypoint"),
		...["HTTPRoute", "TLSRoute", "TCPRoute", "GRPCRoute"].map((kind) =>
			gatewayApi(kind, kind.toLowerCase(), { parentRefs, hostnames: ["api.example.com"], rules }),
		),
		gatewayApi("HTTPRoute", "on-waypoint", { parentRefs: [{ name: "waypoint" }], rules }),
		istio("DestinationRule", "tls", { host: "api.example.com", trafficPolicy: { tls: { mode: "SIMPLE" } } }),
	]);
});

it("F7: a name alone never makes an object an egress gateway", () => {
	assertUntouched([
		waypoint("egress-gateway"),
		istio("Gateway", "istio-egressgateway", { selector: { istio: "ingressgateway" } }),
		virtual("egress-audit", {
			hosts: ["egress-audit.shop.svc.cluster.local"],
			http: [http("egress-audit.shop.svc.cluster.local")],
		}),
		istio("DestinationRule", "metrics", { host: "egressgateway-metrics.monitoring.svc.cluster.local" }),
		istio("ServiceEntry", "istio-egressgateway", { hosts: ["api.example.com"], resolution: "DNS" }),
	]);
});

it("F7: the Service of a waypoint that is called egress-gateway is not one", () => {
	const rule = istio("DestinationRule", "d", { host: "egress-gateway.shop.svc.cluster.local" });
	assert.equal(egressFindings(rule).length, 1);
	assert.deepEqual(egressFindings(rule, [waypoint("egress-gateway")]), []);
	const labels = { "gateway.istio.io/managed": "istio.io-mesh-controller" };
	assert.deepEqual(egressFindings(rule, [service("egress-gateway", "shop", {}, labels)]), []);
});

it("F8: custom ingress selectors, an empty one and none are left alone", () => {
	const selectors = [
		{ myapp: "private-ingressgateway" },
		{ istio: "custom" },
		{ app: "my-gateway-controller" },
		{},
	];
	assertUntouched(selectors.map((selector, index) => istio("Gateway", `g${index}`, { selector })));
	assertUntouched([istio("Gateway", "none", {})]);
});

it("F9: more labels than an ingress gateway's own are left alone", () => {
	assertUntouched([
		istio("Gateway", "internal", { selector: { istio: "ingressgateway", type: "internal" } }),
		istio("Gateway", "odd", { selector: { istio: "ingressgateway", app: "egress-gateway" } }),
	]);
});

it("F10: a delegate without hosts is judged by its destinations", () => {
	assertUntouched([virtual("child", { http: [http("shop.shop.svc.cluster.local")] })]);
});

it("F11: SNI routing on an ingress gateway is left alone", () => {
	const hosts = ["db.example.com"];
	const route = [{ destination: { host: "db.shop.svc.cluster.local" } }];
	assertUntouched([
		istio("Gateway", "passthrough", {
			selector: { istio: "ingressgateway" },
			servers: [{ hosts, tls: { mode: "PASSTHROUGH" } }],
		}),
		virtual("db", { hosts, gateways: ["passthrough"], tls: [{ match: [{ sniHosts: hosts }], route }] }),
	]);
});

it("F12: Istio's mutual TLS on an ingress gateway and inside the cluster is left alone", () => {
	const tls = { mode: "ISTIO_MUTUAL" };
	assertUntouched([
		istio("Gateway", "inner", {
			selector: { istio: "ingressgateway" },
			servers: [{ hosts: ["shop.example.com"], tls }],
		}),
		istio("DestinationRule", "mtls", { host: "shop.shop.svc.cluster.local", trafficPolicy: { tls } }),
	]);
});

it("F13: a ServiceEntry for a name of the cluster or for VMs is left alone", () => {
	const inside = { location: "MESH_INTERNAL", resolution: "STATIC", endpoints: [{ address: "10.1.2.3" }] };
	assertUntouched([
		istio("ServiceEntry", "vm", {
			...inside,
			hosts: ["vm.shop.svc.cluster.local"],
			workloadSelector: { labels: { app: "vm" } },
		}),
		istio("ServiceEntry", "gateway", {
			...inside,
			hosts: ["istio-egressgateway.istio-system.svc.cluster.local"],
		}),
	]);
});

it("F14: istiod's probe of its own webhook is left alone", () => {
	const annotations = { "internal.istio.io/webhook-always-reject": "true" };
	const metadata = { name: "invalid-gateway", namespace: "istio-system", annotations };
	const probe: AnyObject = { apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata };
	assertUntouched([{ ...probe, spec: {} } as AnyObject, probe]);
});

it("F15: a VirtualService of a Gateway that istiod generates is left alone", () => {
	const gateways = ["shop/front-istio-autogenerated-k8s-gateway-http"];
	const spec = { hosts: ["shop.example.com"], gateways, http: [http("shop.shop.svc.cluster.local")] };
	assertUntouched([virtual("internal", spec)]);
});

it("an in-cluster stand-in for an external host, and TLS origination by a route, are left alone", () => {
	assertUntouched([
		virtual("mock", { hosts: ["api.example.com"], http: [http("mock-api.shop.svc.cluster.local")] }),
		virtual("google", { hosts: ["www.googleapis.com"], http: [http("www.googleapis.com")] }),
	]);
});

it("where ambient is only permitted, sidecar-style egress is told and not refused", () => {
	const destination = "istio-egressgateway.istio-system.svc.cluster.local";
	const route = virtual("r", { hosts: ["api.example.com"], http: [http(destination)] });
	assert.deepEqual(
		findings(egressRules, route).map((finding) => finding.severity),
		["info"],
	);
});

it("mutual TLS of the mesh inside the cluster, to ingress gateways and by names of the mesh, is left alone", () => {
	const tls = (sni: string): object => ({ tls: { mode: "ISTIO_MUTUAL", sni } });
	const rule = (name: string, host: string, trafficPolicy: object): AnyObject =>
		istio("DestinationRule", name, { host, trafficPolicy });
	assertUntouched([
		rule("plain", "shop.shop.svc.cluster.local", { tls: { mode: "ISTIO_MUTUAL" } }),
		rule("own", "shop.shop.svc.cluster.local", tls("shop.shop.svc.cluster.local")),
		rule("hairpin", "istio-ingressgateway.istio-system.svc.cluster.local", tls("shop.example.com")),
		rule("external", "api.example.com", { tls: { mode: "SIMPLE", sni: "api.example.com" } }),
		istio("Gateway", "mesh-ingress", {
			selector: { istio: "ingressgateway" },
			servers: [{ hosts: ["api.example.com"], tls: { mode: "ISTIO_MUTUAL" } }],
		}),
		istio("Gateway", "public-custom", {
			selector: { app: "edge" },
			servers: [{ hosts: ["api.example.com"], tls: { mode: "SIMPLE", credentialName: "api" } }],
		}),
		external("api.example.com"),
	]);
});
