import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { parse } from "yaml";
import { entry, gateway, gatewayHost, http, route, steer } from "../support/egress-worlds.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();

interface Entry {
	readonly file: string;
	readonly spec: { readonly hosts: readonly string[]; readonly addresses?: readonly string[] };
}

interface Result {
	readonly bundles: readonly {
		readonly notes: readonly string[];
		readonly written: readonly { readonly stage: string; readonly file: string }[];
		readonly ledger: readonly {
			readonly object: { readonly kind: string };
			readonly path: string;
			readonly fate: string;
			readonly note: string;
		}[];
	}[];
	readonly withheld: readonly unknown[];
}

async function migrated(name: string, text: string): Promise<{ result: Result; entries: readonly Entry[] }> {
	const out = join(folder.path, name);
	const file = folder.write(`${name}.yaml`, text);
	const { code, out: json, error } = await runVerb("migrate", file, "--out", out, "--output", "json");
	assert.ok(code < 2, error);
	const result = JSON.parse(json) as Result;
	const files = result.bundles.flatMap(({ written }) => written.map((each) => `${each.stage}/${each.file}`));
	const entries = files
		.filter((path) => path.includes("serviceentry.") && existsSync(join(out, path)))
		.map((path) => ({ file: path, spec: parse(readFileSync(join(out, path), "utf8")).spec }));
	return { result, entries };
}

const plainBundle =
	entry("one", http) +
	gateway("HTTP", undefined, 80) +
	route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
    route: [{destination: {host: api.one.example, port: {number: 80}}}]
`);

it("a wildcard that the gateway sends to one host goes with the ServiceEntry of that host", async () => {
	const { result, entries } = await migrated(
		"wildcard",
		`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: landing, namespace: shop}
spec: {hosts: [www.wiki.example], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wiki, namespace: shop}
spec:
  hosts: ["*.wiki.example"]
  gateways: [mesh, istio-egressgateway]
  tls:
  - match: [{gateways: [mesh], port: 443, sniHosts: ["*.wiki.example"]}]
    route: [{destination: {host: ${gatewayHost}, port: {number: 443}}}]
  - match: [{gateways: [istio-egressgateway], port: 443, sniHosts: ["*.wiki.example"]}]
    route: [{destination: {host: www.wiki.example, port: {number: 443}}}]
`,
	);
	assert.deepEqual(result.withheld, []);
	assert.deepEqual(entries.map(({ spec }) => spec.hosts).toSorted(), [
		["*.wiki.example"],
		["www.wiki.example"],
	]);
	assert.ok(entries.some(({ file }) => file.endsWith("serviceentry.shop.landing.yaml")));
});

it("a ServiceEntry whose targetPort wants TLS goes in the step of the rule that begins it", async () => {
	const { entries } = await migrated(
		"together",
		`${plainBundle.replace("{number: 80, name: http, protocol: HTTP}]\n  resolution", "{number: 80, name: http, protocol: HTTP, targetPort: 443}]\n  resolution")}apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: tls, namespace: istio-system}
spec:
  host: api.one.example
  workloadSelector: {matchLabels: {istio: egressgateway}}
  trafficPolicy: {tls: {mode: SIMPLE, sni: api.one.example}}
`,
	);
	assert.equal(entries[0]?.file, "2-switch/serviceentry.shop.one.yaml");
});

it("a block of one address becomes that address, which resolution DNS can stand for", async () => {
	const addressed = plainBundle.replace(
		"  resolution: DNS\n",
		'  resolution: DNS\n  addresses: [203.0.113.5/32, "2001:db8::5/128"]\n',
	);
	const { result, entries } = await migrated("addresses", addressed);
	assert.deepEqual(result.withheld, []);
	assert.deepEqual(entries[0]?.spec.addresses, ["203.0.113.5", "2001:db8::5"]);
});

it("a route by the gateway's own name says that clients have to call the host by its own", async () => {
	const { result } = await migrated(
		"own-name",
		`apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: api, namespace: shop}
spec:
  parentRefs: [{name: egress-gateway}]
  hostnames: [egress-gateway-istio.shop.svc.cluster.local]
  rules: [{backendRefs: [{group: networking.istio.io, kind: Hostname, name: api.one.example, port: 443}]}]
`,
	);
	const name = result.bundles[0]?.ledger.find(({ path }) => path === "spec.hostnames[0]");
	assert.equal(name?.fate, "not carried");
	assert.match(name?.note ?? "", /let them call the external host/);
	assert.ok(!result.bundles[0]?.notes.some((note) => note.includes("Bind its Service")));
});

it("a PeerAuthentication on the gateway's pods is not needed, but where it let plain connections in", async () => {
	const peer = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: gateway, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: egressgateway}}
  mtls: {mode: STRICT}
  portLevelMtls: {8443: {mode: PERMISSIVE}}
`;
	const { result } = await migrated("peer", plainBundle + peer);
	const [bundle] = result.bundles;
	const fates = bundle?.ledger
		.filter(({ object, path }) => object.kind === "PeerAuthentication" && path.startsWith("spec"))
		.map(({ fate }) => fate);
	assert.deepEqual(fates, ["implied", "implied", "not carried"]);
	assert.ok(bundle?.notes.some((note) => /PeerAuthentication .* it needs no such object/.test(note)));
});

it("a ProxyConfig on the gateway's pods is named with the selector that a waypoint's pods have", async () => {
	const proxy = `apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: gateway, namespace: istio-system}
spec: {selector: {matchLabels: {istio: egressgateway}}, concurrency: 2}
`;
	const { result } = await migrated("proxy", plainBundle + proxy);
	const [bundle] = result.bundles;
	assert.ok(bundle?.notes.some((note) => note.includes("gateway.networking.k8s.io/gateway-name: WAYPOINT")));
	const concurrency = bundle?.ledger.find(({ path }) => path === "spec.concurrency");
	assert.equal(concurrency?.fate, "not carried");
});

const asm = `apiVersion: istio.alibabacloud.com/v1beta1
kind: ASMEgressTrafficPolicy
metadata: {name: out, namespace: istio-egress}
spec:
  byEgressGateway: {name: egressgateway}
  egressRules:
  - name: one
    from:
    - {namespace: shop, workloadSelector: {app: checkout}}
    - {namespace: shop, workloadSelector: {app: unknown}}
    - {namespace: pay}
    to: [{name: one, hosts: [api.one.example], port: {number: 443, name: https, protocol: HTTPS}, byEgressGateway: {port: 443}}]
`;

function workload(kind: string, name: string, namespace: string, template: string): string {
	return `---
apiVersion: apps/v1
kind: ${kind}
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${template}
`;
}

it("the workloads that an ASM policy selects become their service accounts, where the input has them", async () => {
	const pod = (app: string, account: string): string =>
		`{metadata: {labels: {app: ${app}}}, spec: {serviceAccountName: ${account}}}`;
	const workloads = [
		workload("Deployment", "checkout", "shop", `{template: ${pod("checkout", "till")}}`),
		workload("CronJob", "nightly", "shop", `{jobTemplate: {spec: {template: ${pod("checkout", "night")}}}}`),
		workload("Deployment", "other", "shop", `{template: ${pod("other", "other")}}`),
		workload("Deployment", "checkout", "elsewhere", `{template: ${pod("checkout", "stranger")}}`),
	];
	const out = join(folder.path, "asm");
	const file = folder.write("asm.yaml", asm + workloads.join(""));
	const { out: json } = await runVerb("migrate", file, "--out", out, "--output", "json");
	const [bundle] = (JSON.parse(json) as Result).bundles;
	const path = bundle?.written.find((each) => each.file.startsWith("authorizationpolicy."));
	const { rules } = parse(readFileSync(join(out, path?.stage ?? "", path?.file ?? ""), "utf8")).spec;
	assert.deepEqual(rules[0].from, [
		{ source: { namespaces: ["shop", "pay"] } },
		{ source: { principals: ["*/ns/shop/sa/night", "*/ns/shop/sa/till"] } },
	]);
	const fates = bundle?.ledger
		.filter((each) => each.path.includes("workloadSelector"))
		.map(({ fate }) => fate);
	assert.deepEqual(fates, ["carried", "not carried"]);
	assert.ok(bundle?.notes.some((note) => note.includes("workloads that share one of these may call too")));
});
