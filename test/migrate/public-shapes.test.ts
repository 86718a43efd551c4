import assert from "node:assert/strict";
import { it } from "node:test";
import { entry, gateway, gatewayHost, http, route, rule, steer, tls } from "../support/egress-worlds.ts";
import { migrations } from "../support/migration.ts";

const migrate = migrations();
const https = "{number: 443, name: https, protocol: HTTPS}";
const both = [entry("one", http, https), gateway("HTTP", undefined, 80)];
const toPort443 = route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
    route: [{destination: {host: api.one.example, port: {number: 443}}}]
`);

/** A route of the gateway whose requests a delegate takes over. */
function delegating(match: string): string {
	return route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80${match}}]
    timeout: 3s
    delegate: {name: rest, namespace: other}
`);
}

function delegate(routes: string): string {
	return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: rest, namespace: other}
spec:
  http:
${routes}---
`;
}

it("migrate writes a delegate's routes for the clients' port, on which TLS begins", async () => {
	const { code, written, notes, lost } = await migrate(
		...both,
		delegating(", uri: {prefix: /v1}"),
		delegate(`  - match: [{uri: {prefix: /v1/slow}}]
    timeout: 9s
    route: [{destination: {host: api.one.example, port: {number: 443}}}]
  - route: [{destination: {host: api.one.example, port: {number: 443}}}]
`),
		rule("  trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]}\n"),
	);
	assert.deepEqual([code, lost], [0, []]);
	const to = { destination: { host: "api.one.example", port: { number: 80 } } };
	assert.deepEqual(written.get("virtualservice.shop.one-waypoint.yaml").spec.http, [
		{ timeout: "9s", match: [{ uri: { prefix: "/v1/slow" } }], route: [to] },
		{ timeout: "3s", match: [{ uri: { prefix: "/v1" } }], route: [to] },
	]);
	assert.match(notes, /VirtualService `other\/rest` is a delegate of `shop\/one`/);
});

it("migrate names a delegate whose matches it cannot join with its root's, and one that is not there", async () => {
	const to = "    route: [{destination: {host: api.one.example, port: {number: 80}}}]\n";
	const clash = await migrate(
		...both,
		delegating(", headers: {x-a: {exact: b}}"),
		delegate(`  - match: [{headers: {x-c: {exact: d}}}]\n${to}`),
	);
	assert.equal(clash.code, 1);
	assert.match(clash.notes, /its delegate other\/rest matches by the same fields/);
	const missing = await migrate(...both, delegating(""));
	assert.equal(missing.code, 1);
	assert.match(missing.notes, /its delegate other\/rest is not in the input: add it/);
});

it("migrate names what the gateway did with requests whose TLS it ended, which passes through a waypoint", async () => {
	const { code, lost, written } = await migrate(
		entry("one", https),
		gateway("HTTPS", "SIMPLE, credentialName: own", 443),
		route(`  tls:
  - match: [{gateways: [mesh], port: 443, sniHosts: [api.one.example]}]
    route: [{destination: {host: ${gatewayHost}, port: {number: 443}}}]
  http:
  - match: [{gateways: [one], port: 443}]
    headers: {request: {set: {x-tenant: shop}}}
    route: [{destination: {host: api.one.example, port: {number: 443}}}]
`),
	);
	assert.equal(code, 1);
	assert.ok(lost.includes("VirtualService spec.http[0].headers.request.set.x-tenant"), lost.join("\n"));
	assert.deepEqual(
		[...written.keys()].filter((file) => /route|virtualservice/.test(file)),
		[],
	);
	assert.deepEqual(
		written.get("serviceentry.shop.one.yaml").spec.ports.map((port: { number: number }) => port.number),
		[443],
	);
});

const policy = (validation: string): string => `apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: one, namespace: shop}
spec:
  targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: one, sectionName: https}]
  validation: {hostname: api.one.example, ${validation}}
`;
const system = "wellKnownCACertificates: System";

it("migrate holds an entry back whose TLS begins by a BackendTLSPolicy for another port", async () => {
	const moved = await migrate(...both, toPort443, policy(system));
	assert.equal(moved.code, 1);
	assert.deepEqual(moved.removed, []);
	assert.ok(moved.withheld.includes("ServiceEntry shop/one"), moved.withheld.join());
	assert.match(moved.notes, /BackendTLSPolicy shop\/one begins TLS at port 443/);
	const stays = toPort443.replace("number: 443", "number: 80");
	const kept = await migrate(...both, stays, policy(system));
	assert.deepEqual([kept.code, kept.lost, kept.withheld], [0, [], []]);
	const own = await migrate(
		...both,
		stays,
		policy("caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]"),
	);
	assert.equal(own.code, 1);
	assert.match(own.notes, /has caCertificateRefs/);
});

it("migrate puts a list of revoked certificates into the Secret, and takes `system` for no file", async () => {
	const revoked = await migrate(
		...both,
		toPort443,
		rule("  trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /etc/ca.pem, caCrl: /etc/crl.pem}}\n"),
	);
	assert.match(revoked.notes, /--from-file=ca\.crt=\/etc\/ca\.pem --from-file=ca\.crl=\/etc\/crl\.pem`/);
	assert.ok(revoked.lost.includes("DestinationRule spec.trafficPolicy.tls.caCrl"));
	const levels = (of: typeof revoked): unknown =>
		of.written.get("destinationrule.shop.one.yaml").spec.trafficPolicy.portLevelSettings[0].tls;
	assert.deepEqual(levels(revoked), { mode: "SIMPLE", credentialName: "api-one-example-client" });
	const known = await migrate(
		...both,
		toPort443,
		rule("  trafficPolicy: {tls: {mode: SIMPLE, caCertificates: system}}\n"),
	);
	assert.deepEqual([known.code, known.lost], [0, []]);
	assert.deepEqual(levels(known), { mode: "SIMPLE", caCertificates: "system" });
	const client = await migrate(
		...both,
		toPort443,
		rule("  trafficPolicy: {tls: {mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem}}\n"),
	);
	assert.match(client.notes, /Add the certificates of the CAs .* as `--from-file=ca\.crt=FILE`/);
});

it("migrate names a wildcard whose names the gateway sent to one host", async () => {
	const wild = (text: string): string => text.replaceAll("api.one.example", '"*.one.example"');
	const { code, notes } = await migrate(
		wild(entry("one", tls)),
		entry("one", tls).replace("name: one,", "name: www,"),
		wild(gateway("TLS", "PASSTHROUGH", 443)),
		wild(
			route(`  tls:
  - match: [{gateways: [mesh], port: 443, sniHosts: [api.one.example]}]
    route: [{destination: {host: ${gatewayHost}, port: {number: 443}}}]
  - match: [{gateways: [one], port: 443, sniHosts: [api.one.example]}]
    route: [{destination: {host: WWW, port: {number: 443}}}]
`),
		).replace("WWW", "api.one.example"),
	);
	assert.equal(code, 1);
	assert.match(notes, /The gateway sent `\*\.one\.example` to `api\.one\.example`/);
});

it("migrate says which addresses and which clients a TLS route chose, each with its own advice", async () => {
	const { notes } = await migrate(
		entry("one", tls),
		gateway("TLS", "PASSTHROUGH", 443),
		route(`  tls:
  - match: [{gateways: [mesh], port: 443, sniHosts: [api.one.example], sourceLabels: {app: till}, destinationSubnets: [192.0.2.0/24]}]
    route: [{destination: {host: ${gatewayHost}, port: {number: 443}}}]
  - match: [{gateways: [one], port: 443, sniHosts: [api.one.example]}]
    route: [{destination: {host: api.one.example, port: {number: 443}}}]
`),
	);
	assert.match(notes, /matches by sourceLabels: .*so every client takes this way: .*AuthorizationPolicy/);
	assert.match(notes, /matches by destinationSubnets: .*list addresses in the ServiceEntry/);
});

const plain = route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
    route: [{destination: {host: api.one.example, port: {number: 80}}}]
`);

it("migrate says that a NetworkPolicy of the clients has to let them reach the waypoint", async () => {
	const limits = (namespace: string): string => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: ${namespace}}
spec: {podSelector: {}, policyTypes: [Egress], egress: []}
`;
	const { code, notes } = await migrate(...both, plain, limits("shop"), limits("other"));
	assert.equal(code, 0);
	assert.match(notes, /NetworkPolicy shop\/out .* reach the waypoint's pods in `shop` on port 15008/);
	assert.doesNotMatch(notes, /NetworkPolicy other\/out/);
});

it("migrate names objects of several revisions, which no one istiod read together", async () => {
	const labelled = (text: string, revision: string): string =>
		text.replace("namespace: shop}", `namespace: shop, labels: {istio.io/rev: ${revision}}}`);
	const other = plain
		.replace("name: one,", "name: two,")
		.replace("- match: [{gateways: [one]", "- timeout: 5s\n    match: [{gateways: [one]");
	const { code, notes, lost } = await migrate(...both, labelled(plain, "a"), labelled(other, "b"));
	assert.equal(code, 1);
	assert.ok(lost.includes('VirtualService metadata.labels["istio.io/rev"]'), lost.join());
	assert.match(notes, /are of different revisions/);
	const one = await migrate(...both.map((text) => labelled(text, "a")), labelled(plain, "a"));
	assert.doesNotMatch(one.notes, /different revisions/);
});
