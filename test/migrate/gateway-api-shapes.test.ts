import assert from "node:assert/strict";
import { it } from "node:test";
import { migrations } from "../support/migration.ts";

const migrate = migrations();

const entry = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: news}
spec:
  hosts: [api.news.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
`;

const stub = "{name: stub, port: 15999, protocol: HTTP}";

function gateway(listeners: string, annotations = "{networking.istio.io/service-type: ClusterIP}"): string {
	return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: out, namespace: news, annotations: ${annotations}}
spec:
  gatewayClassName: istio
  allowedListeners: {namespaces: {from: Same}}
  listeners: [${listeners}]
`;
}

const listener = "{name: api, hostname: api.news.example, port: 80, protocol: HTTP}";

function listenerSet(apiVersion: string, kind: string): string {
	return `apiVersion: ${apiVersion}
kind: ${kind}
metadata: {name: added, namespace: news}
spec:
  parentRef: {name: out}
  listeners: [${listener}]
`;
}

const steer = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: to-gateway, namespace: news}
spec:
  parentRefs: [{group: networking.istio.io, kind: ServiceEntry, name: api}]
  rules: [{backendRefs: [{name: out-istio, port: 80}]}]
`;

const hostname = "{group: networking.istio.io, kind: Hostname, name: api.news.example, port: 80}";
const external = "{group: gateway.networking.x-k8s.io, kind: XBackend, name: api}";

function forward(parent: string, backend: string, name = "from-gateway"): string {
	return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, namespace: news}
spec:
  parentRefs: [${parent}]
  hostnames: [api.news.example]
  rules: [{timeouts: {request: 5s}, backendRefs: [${backend}]}]
`;
}

function xBackend(spec: string): string {
	return `apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {name: api, namespace: news}
spec: {type: ExternalHostname, externalHostname: {hostname: api.news.example}, ${spec}}
`;
}

const tls = "port: {port: 443}, tls: {mode: ServerOnly, validation: {hostname: api.news.example}}";

for (const [apiVersion, kind] of [
	["gateway.networking.k8s.io/v1", "ListenerSet"],
	["gateway.networking.x-k8s.io/v1alpha1", "XListenerSet"],
] as const) {
	it(`migrate replaces a Gateway whose listeners stand in a ${kind}`, async () => {
		const parent = `{group: ${apiVersion.split("/")[0]}, kind: ${kind}, name: added, sectionName: api}`;
		const result = await migrate(
			entry,
			gateway(stub),
			listenerSet(apiVersion, kind),
			steer,
			forward(parent, hostname),
		);
		assert.deepEqual([result.code, result.lost, result.withheld], [0, [], []]);
		assert.equal(
			result.written.get("httproute.news.from-gateway-waypoint.yaml").spec.rules[0].timeouts.request,
			"5s",
		);
		assert.deepEqual(result.removed, [
			"gateway.news.out.yaml",
			"httproute.news.from-gateway.yaml",
			"httproute.news.to-gateway.yaml",
			`${kind.toLowerCase()}.news.added.yaml`,
		]);
	});
}

it("migrate keeps a Gateway that has listeners of its own beside those of an egress ListenerSet", async () => {
	const set = listenerSet("gateway.networking.k8s.io/v1", "ListenerSet");
	const parent = "{kind: ListenerSet, name: added}";
	const shop = "{name: shop, hostname: shop.cluster.internal, port: 80, protocol: HTTP}";
	const result = await migrate(entry, gateway(shop), set, steer, forward(parent, hostname));
	assert.equal(result.code, 1);
	assert.ok(!result.removed.includes("gateway.news.out.yaml"), result.removed.join());
	assert.ok(result.removed.includes("listenerset.news.added.yaml"), result.removed.join());
	assert.match(result.notes, /Gateway news\/out also serves other traffic.* listeners of its own/);
});

it("migrate keeps a Gateway and a ListenerSet through which another route goes", async () => {
	const set = listenerSet("gateway.networking.k8s.io/v1", "ListenerSet");
	const inward = forward("{kind: ListenerSet, name: added}", "{name: shop, port: 80}", "shop").replace(
		"hostnames: [api.news.example]",
		"hostnames: [shop.news.internal]",
	);
	const parent = "{kind: ListenerSet, name: added}";
	const result = await migrate(entry, gateway(stub), set, steer, forward(parent, hostname), inward);
	assert.equal(result.code, 1);
	assert.deepEqual(result.removed, ["httproute.news.from-gateway.yaml", "httproute.news.to-gateway.yaml"]);
	assert.ok(result.lost.includes("ListenerSet metadata.name"), result.lost.join());
});

it("migrate begins TLS at the waypoint as an XBackend says", async () => {
	const route = forward("{name: out}", external);
	const result = await migrate(entry, gateway(listener), steer, route, xBackend(tls));
	assert.deepEqual([result.code, result.lost, result.withheld], [0, [], []]);
	const { ports } = result.written.get("serviceentry.news.api.yaml").spec;
	assert.deepEqual(ports, [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }]);
	const rule = result.written.get("destinationrule.news.api-news-example-tls.yaml").spec;
	const settings = [{ port: { number: 80 }, tls: { mode: "SIMPLE", sni: "api.news.example" } }];
	assert.deepEqual(rule, { host: "api.news.example", trafficPolicy: { portLevelSettings: settings } });
	const [{ backendRefs }] = result.written.get("httproute.news.from-gateway-waypoint.yaml").spec.rules;
	assert.deepEqual([backendRefs[0].kind, backendRefs[0].name], ["Hostname", "api.news.example"]);
	assert.ok(result.removed.includes("xbackend.news.api.yaml"));
});

it("migrate does not make TLS up where an XBackend of port 443 has none", async () => {
	const route = forward("{name: out}", external);
	const result = await migrate(entry, gateway(listener), steer, route, xBackend("port: {port: 443}"));
	assert.deepEqual([result.code, result.lost], [0, []]);
	assert.ok(![...result.written.keys()].some((file) => file.startsWith("destinationrule.")));
});

for (const [what, spec, lost] of [
	[
		"a client certificate",
		"port: {port: 443}, tls: {mode: ClientAndServer, clientCertificateRef: {name: mine}}",
		"XBackend spec.tls.clientCertificateRef.name",
	],
	[
		"a CA of its own",
		"port: {port: 443}, tls: {mode: ServerOnly, validation: {hostname: api.news.example, caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]}}",
		"XBackend spec.tls.validation.caCertificateRefs[0].name",
	],
	["HTTP/2", "port: {port: 8080}, protocol: H2C", "XBackend spec.protocol"],
] as const) {
	it(`migrate leaves the way out of an XBackend with ${what} as it is`, async () => {
		const route = forward("{name: out}", external);
		const result = await migrate(entry, gateway(listener), steer, route, xBackend(spec));
		assert.equal(result.code, 1);
		assert.ok(result.lost.includes(lost), result.lost.join());
		assert.deepEqual(result.removed, []);
		assert.ok(result.withheld.includes("ServiceEntry news/api"), result.withheld.join());
	});
}

it("migrate removes nothing that a route to an unknown XBackend needs", async () => {
	const known = forward("{name: out}", hostname);
	const unknown = forward("{name: out}", external, "unknown").replace(
		"hostnames: [api.news.example]",
		"hostnames: []",
	);
	const result = await migrate(entry, gateway(listener), steer, known, unknown);
	assert.equal(result.code, 1);
	assert.ok(!result.removed.includes("gateway.news.out.yaml"), result.removed.join());
});
