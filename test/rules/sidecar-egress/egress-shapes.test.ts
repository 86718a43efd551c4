import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AnyObject } from "../../../src/core/kinds.ts";
import type { SettingsFile } from "../../../src/core/settings.ts";
import { egressFindings, gatewayApi, istio, service } from "../../support/egress-rules.ts";

const egress = "istio-egressgateway.istio-system.svc.cluster.local";
const host = "api.example.com";
const proxy = "apisix.gateways.svc.cluster.local";
const destinationPath = "spec.http.0.route.0.destination.host";

function assertFlagged(
	object: AnyObject,
	path: string,
	given: readonly AnyObject[] = [],
	settings: SettingsFile = {},
): void {
	const paths = egressFindings(object, given, settings).map((finding) => finding.path.join("."));
	assert.ok(paths.includes(path), `flags ${paths.join(", ") || "nothing"}, not ${path}`);
}

function routed(http: readonly object[], rest: object = {}, name = "route"): AnyObject {
	return istio("VirtualService", name, { hosts: [host], http, ...rest });
}
const to = (destination: string, gateways?: readonly string[]): object => ({
	...(gateways === undefined ? {} : { match: [{ gateways, port: 80 }] }),
	route: [{ destination: { host: destination } }],
});
const selecting = (selector: object): AnyObject => istio("Gateway", "out", { selector });
const bothHops = routed([to(proxy, ["mesh"]), to(host, ["edge/out"])], { gateways: ["mesh", "edge/out"] });

describe("a Gateway by its selector", () => {
	const selectors: readonly (readonly [object, string])[] = [
		[{ istio: "egressgateway" }, "istio"],
		[{ app: "istio-egressgateway" }, "app"],
		[{ app: "istio-egressgateway", istio: "egressgateway", "istio.io/rev": "1-27" }, "istio"],
		[{ istio: "egressgateway-with-sni-proxy" }, "istio"],
		[{ istio: "egress-gw" }, "istio"],
		[{ istio: "egress" }, "istio"],
		[{ istio: "tenant-a-egress" }, "istio"],
		[{ app: "team-egress-gateway" }, "app"],
		[{ "app.kubernetes.io/name": "istio-egress" }, "app.kubernetes.io/name"],
	];
	for (const [selector, key] of selectors) {
		it(`is recognised: ${JSON.stringify(selector)}`, () => {
			assertFlagged(selecting(selector), `spec.selector.${key}`);
		});
	}

	it("is recognised by configured labels, whether it names all of them or some", () => {
		const settings = { egressGateways: { labels: [{ app: "edge", direction: "out" }] } };
		assertFlagged(selecting({ direction: "out" }), "spec.selector", [], settings);
		assertFlagged(selecting({ app: "edge", direction: "out", zone: "a" }), "spec.selector", [], settings);
	});

	it("is recognised by what the Service of an egress gateway selects", () => {
		const gateway = selecting({ app: "edge-out" });
		const built = service("istio-egressgateway", "edge", { selector: { app: "edge-out" } });
		assertFlagged(gateway, "spec.selector", [built]);
		const own = service("way-out", "edge", { selector: { app: "edge-out", zone: "a" } });
		assertFlagged(gateway, "spec.selector", [own], { egressGateways: { services: ["edge/way-out"] } });
	});

	it("is recognised by the use that a VirtualService makes of it", () => {
		const gateway = istio("Gateway", "out", { selector: { app: "apisix" } }, "edge");
		assertFlagged(gateway, "spec.selector", [bothHops]);
	});
});

describe("a Gateway by its servers", () => {
	const server = { port: { number: 8443, name: "mtls", protocol: "HTTPS" }, hosts: [`./${host}`] };
	const external = istio("ServiceEntry", "api", { hosts: [host], resolution: "DNS" });

	it("is recognised where only sidecars can speak to it and the host lies outside the mesh", () => {
		const servers = [server, { ...server, tls: { mode: "ISTIO_MUTUAL" } }];
		const gateway = istio("Gateway", "out", { selector: { app: "edge-out" }, servers });
		assertFlagged(gateway, "spec.servers.1.tls.mode", [external]);
	});
});

describe("a VirtualService to an egress gateway", () => {
	for (const destination of [
		egress,
		`${egress}.`,
		"ISTIO-EGRESSGATEWAY.istio-system.svc.Cluster.Local",
		"istio-egressgateway.istio-system.svc",
		"istio-egressgateway.istio-system",
		"istio-egressgateway",
		"istio-egressgateway.istio-egress.svc.company.internal",
		"egressgateway.istio-egress.svc.cluster.local",
		"cnn-egress-gateway-debug.tenant.svc.cluster.local",
		"internal-egress-firewall.ns1.svc.cluster.local",
	]) {
		it(`is recognised by its destination ${destination}`, () => {
			assertFlagged(routed([to(destination)]), destinationPath);
		});
	}

	it("is recognised in tls and tcp routes, in mirrors, and by the smaller weight", () => {
		const route = [{ destination: { host }, weight: 99 }, { destination: { host: egress } }];
		const match = [{ port: 443, sniHosts: [host] }];
		const plain = { route: [{ destination: { host } }] };
		const routes: readonly (readonly [object, string])[] = [
			[{ http: [{ route }] }, "spec.http.0.route.1.destination.host"],
			[{ tls: [{ match, route }] }, "spec.tls.0.route.1.destination.host"],
			[{ tcp: [{ route }] }, "spec.tcp.0.route.1.destination.host"],
			[{ http: [{ ...plain, mirror: { host: egress } }] }, "spec.http.0.mirror.host"],
			[
				{ http: [{ ...plain, mirrors: [{ destination: { host: egress } }] }] },
				"spec.http.0.mirrors.0.destination.host",
			],
		];
		for (const [spec, path] of routes) {
			assertFlagged(istio("VirtualService", "r", { hosts: [host], ...spec }), path);
		}
	});

	it("is recognised as a delegate, and as the root of one", () => {
		const child = istio("VirtualService", "child", { http: [to(egress)] });
		assertFlagged(child, destinationPath);
		const root = routed([{ delegate: { name: "child" } }], {}, "root");
		assertFlagged(root, "spec.http.0.delegate.name", [child]);
	});

	it("is recognised by the gateway's Service: its cluster IP, its labels, its configured name", () => {
		const known = service("istio-egressgateway", "istio-system", { clusterIP: "10.96.7.7" });
		assertFlagged(routed([to("10.96.7.7")]), destinationPath, [known]);
		const renamed = service("way-out", "edge", { selector: { istio: "egressgateway" } });
		assertFlagged(routed([to("way-out.edge.svc.cluster.local")]), destinationPath, [renamed]);
		for (const name of ["way-out", "edge/way-out"]) {
			const settings = { egressGateways: { services: [name] } };
			assertFlagged(routed([to("way-out.edge.svc.cluster.local")]), destinationPath, [], settings);
		}
	});

	it("is recognised by both hops, whatever the names, in one VirtualService or in two", () => {
		assertFlagged(bothHops, destinationPath);
		assertFlagged(bothHops, "spec.gateways.1");
		const steer = routed([to(proxy)], { gateways: ["mesh"] }, "steer");
		const forward = routed([to(host)], { gateways: ["edge/out"] }, "forward");
		assertFlagged(steer, destinationPath, [forward]);
		assertFlagged(forward, "spec.gateways.0", [steer]);
	});

	it("is recognised by the Gateway that it names, in every spelling", () => {
		const gateway = istio("Gateway", "out", { selector: { istio: "egressgateway" } }, "edge");
		for (const name of ["edge/out", "out.edge", "out.edge.svc.cluster.local"]) {
			assertFlagged(routed([to(host)], { gateways: [name] }), "spec.gateways.0", [gateway]);
		}
		for (const name of ["out", "./out", "shop/out"]) {
			const gateways = [selecting({ istio: "egressgateway" })];
			assertFlagged(routed([to(host)], { gateways: [name] }), "spec.gateways.0", gateways);
		}
		assertFlagged(routed([to(host, ["edge/out"])]), "spec.http.0.match.0.gateways.0", [gateway]);
	});

	it("is recognised by a host that an unknown Gateway sends to itself, outside the mesh", () => {
		const entry = istio("ServiceEntry", "s", { hosts: [host], resolution: "DNS" });
		assertFlagged(routed([to(host)], { gateways: ["edge/out"] }), "spec.gateways.0", [entry]);
	});

	it("is recognised by the name of a Gateway that nobody has seen, if it sends a host out", () => {
		assertFlagged(routed([to(host)], { gateways: ["egress-gateway"] }), "spec.gateways.0");
		assertFlagged(routed([to(host)], { gateways: ["istio-system/istio-egressgateway"] }), "spec.gateways.0");
	});
});

describe("other objects of sidecar-style egress", () => {
	it("a DestinationRule is recognised by its host, whatever it says", () => {
		for (const rest of [
			{ subsets: [{ name: "cnn" }] },
			{ trafficPolicy: { tls: { mode: "ISTIO_MUTUAL", sni: host } } },
			{ trafficPolicy: { tunnel: { targetHost: host, targetPort: 443 } } },
		]) {
			assertFlagged(istio("DestinationRule", "d", { host: egress, ...rest }), "spec.host");
		}
		assertFlagged(istio("DestinationRule", "d", { host: proxy }), "spec.host", [bothHops]);
	});

	it("a DestinationRule is recognised by a workloadSelector for the gateway's pods", () => {
		const workloadSelector = { matchLabels: { istio: "egressgateway" } };
		assertFlagged(istio("DestinationRule", "d", { host, workloadSelector }), "spec.workloadSelector");
	});

	it("a Sidecar is recognised by its egress proxy", () => {
		const outboundTrafficPolicy = { mode: "ALLOW_ANY", egressProxy: { host: egress, port: { number: 443 } } };
		const path = "spec.outboundTrafficPolicy.egressProxy.host";
		assertFlagged(istio("Sidecar", "default", { outboundTrafficPolicy }), path);
	});

	it("a ServiceEntry is recognised by endpoints or a selector that lead to the gateway", () => {
		const entry = (rest: object): AnyObject =>
			istio("ServiceEntry", "s", { hosts: [host], resolution: "DNS", ...rest });
		assertFlagged(entry({ endpoints: [{ address: egress }] }), "spec.endpoints.0.address");
		const known = service("istio-egressgateway", "istio-system", { clusterIPs: ["10.96.7.7"] });
		assertFlagged(entry({ endpoints: [{ address: "10.96.7.7" }] }), "spec.endpoints.0.address", [known]);
		const workloadSelector = { labels: { istio: "egressgateway" } };
		assertFlagged(entry({ workloadSelector }), "spec.workloadSelector.labels");
	});

	it("an ASMEgressTrafficPolicy is recognised, old and new", () => {
		const asm = (spec: object): AnyObject => ({
			...istio("ASMEgressTrafficPolicy", "a", spec),
			apiVersion: "istio.alibabacloud.com/v1beta1",
		});
		assertFlagged(asm({ byEgressGateway: { name: "egressgateway" } }), "spec.byEgressGateway.name");
		const perHost = asm({ egressRules: [{ to: [{ byEgressGateway: { name: "egressgateway-a" } }] }] });
		assertFlagged(perHost, "spec.egressRules.0.to.0.byEgressGateway.name");
	});
});

describe("the Gateway API's egress gateway", () => {
	const entry = istio("ServiceEntry", "payments", { hosts: [host], resolution: "DNS" });
	const listener = { name: "http", hostname: host, port: 80, protocol: "HTTP" };
	const spec = { gatewayClassName: "istio", listeners: [listener] };
	const fromEntry = { group: "networking.istio.io", kind: "ServiceEntry", name: "payments" };
	const hostname = { group: "networking.istio.io", kind: "Hostname", name: host, port: 80 };
	const backendPath = "spec.rules.0.backendRefs.0.name";

	it("is recognised as a Gateway: by a ServiceEntry's host, by its address, by its label", () => {
		const inward = { annotations: { "networking.istio.io/service-type": "ClusterIP" } };
		assertFlagged(gatewayApi("Gateway", "g", spec, inward), "spec.listeners.0.hostname", [entry]);
		const tls = { options: { "gateway.istio.io/tls-terminate-mode": "ISTIO_MUTUAL" } };
		const mutual = gatewayApi("Gateway", "g", { ...spec, listeners: [{ ...listener, tls }] });
		assertFlagged(mutual, "spec.listeners.0.hostname", [entry]);
		const addresses = [{ type: "Hostname", value: egress }];
		assertFlagged(gatewayApi("Gateway", "g", { ...spec, addresses }), "spec.addresses.0.value");
		const labels = { istio: "egressgateway" };
		assertFlagged(gatewayApi("Gateway", "g", spec, { labels }), "metadata.labels.istio");
	});

	for (const kind of ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"]) {
		it(`is recognised as a ${kind} from the mesh to the gateway's Service, and from it to the outside`, () => {
			const steer = [{ backendRefs: [{ name: "way-out-istio", port: 80 }] }];
			assertFlagged(gatewayApi(kind, "r", { parentRefs: [fromEntry], rules: steer }), backendPath);
			const forward = { parentRefs: [{ name: "way-out" }], rules: [{ backendRefs: [hostname] }] };
			assertFlagged(gatewayApi(kind, "r", forward), backendPath, [gatewayApi("Gateway", "way-out", spec)]);
		});
	}

	it("is recognised as a route for a host that it sends to the same host, without any neighbour", () => {
		for (const hostnames of [[host], ["*.example.com"]]) {
			const rules = [{ backendRefs: [hostname] }];
			const route = gatewayApi("HTTPRoute", "r", { parentRefs: [{ name: "way-out" }], hostnames, rules });
			assertFlagged(route, backendPath);
		}
	});

	it("is recognised where the route's listeners are a set of their own", () => {
		for (const kind of ["ListenerSet", "XListenerSet"]) {
			const parentRefs = [{ group: "gateway.networking.k8s.io", kind, name: "more" }];
			const rules = [{ backendRefs: [hostname] }];
			assertFlagged(gatewayApi("TLSRoute", "r", { parentRefs, hostnames: [host], rules }), backendPath);
		}
	});

	it("is recognised as a mirror", () => {
		const filters = [
			{ type: "RequestMirror", requestMirror: { backendRef: { name: "istio-egressgateway" } } },
		];
		const route = gatewayApi("HTTPRoute", "r", { parentRefs: [fromEntry], rules: [{ filters }] });
		assertFlagged(route, "spec.rules.0.filters.0.requestMirror.backendRef.name");
	});
});

describe("a DestinationRule for a Service that nothing else tells of", () => {
	const mutual = { mode: "ISTIO_MUTUAL", sni: host };
	const rule = (spec: object): AnyObject => istio("DestinationRule", "hop", { host: proxy, ...spec });

	it("is recognised by an external name for the mesh's own TLS", () => {
		assertFlagged(rule({ trafficPolicy: { tls: mutual } }), "spec.trafficPolicy.tls.sni");
		const settings = [{ port: { number: 443 }, tls: mutual }];
		assertFlagged(
			rule({ subsets: [{ name: "api", trafficPolicy: { portLevelSettings: settings } }] }),
			"spec.subsets.0.trafficPolicy.portLevelSettings.0.tls.sni",
		);
	});
});

describe("a VirtualService on a Gateway whose name says egress gateway", () => {
	it("is recognised though it sends to a forward proxy of the cluster", () => {
		const spec = { gateways: ["squid-egress-gateway"] };
		assertFlagged(routed([to("squid.proxies.svc.cluster.local")], spec), "spec.gateways.0");
	});
});

describe("a Gateway of the Gateway API whose name says egress gateway", () => {
	const listeners = [{ name: "api", hostname: host, port: 80, protocol: "HTTP" }];

	it("is recognised without its ServiceEntry, unless it is a waypoint or of a stranger's class", () => {
		const gateway = (gatewayClassName: string, name = "api-egress-gateway"): AnyObject =>
			gatewayApi("Gateway", name, { gatewayClassName, listeners });
		assertFlagged(gateway("istio"), "spec.listeners.0.hostname");
		for (const other of [gateway("istio-waypoint"), gateway("eg"), gateway("istio", "api")]) {
			assert.deepEqual(egressFindings(other), []);
		}
	});

	it("makes a route that gives a host another name a way out", () => {
		const gateway = gatewayApi("Gateway", "egress-gateway", {
			gatewayClassName: "istio",
			listeners: [{ name: "any", port: 80, protocol: "HTTP" }],
		});
		const route = gatewayApi("HTTPRoute", "api", {
			parentRefs: [{ name: "egress-gateway" }],
			hostnames: ["egress-gateway-istio.shop.svc.cluster.local"],
			rules: [{ backendRefs: [{ group: "networking.istio.io", kind: "Hostname", name: host, port: 443 }] }],
		});
		assertFlagged(route, "spec.rules.0.backendRefs.0.name", [gateway]);
	});
});
