import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { entry, gateway, http, route, rule, steer, tls } from "../support/egress-worlds.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
const host = "api.one.example";
let runs = 0;

interface Report {
	readonly code: number;
	readonly out: string;
	readonly markdown: string;
	readonly html: string;
}

async function report(text: string, ...argv: readonly string[]): Promise<Report> {
	const name = `report-${runs++}`;
	const out = join(folder.path, name);
	const file = folder.write(`${name}.yaml`, text);
	const { code, error } = await runVerb("migrate", file, "--out", out, "--waypoint", "edge/out", ...argv);
	assert.ok(code < 2, error);
	const read = (file: string): string => readFileSync(join(out, file), "utf8");
	return { code, out, markdown: read("REPORT.md"), html: read("REPORT.html") };
}

const way =
	entry("one", http, tls) +
	gateway("HTTP", undefined, 80) +
	route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
    route: [{destination: {host: ${host}, port: {number: 443}}}]
`);
const origination = rule(
	"  trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]}\n",
);

it("a way out without a host gets no order, no picture of a new way, no 3-remove, and exit 1", async () => {
	const { code, out, markdown } = await report(gateway("HTTP", undefined, 80));
	assert.equal(code, 1);
	assert.ok(!existsSync(join(out, "3-remove")));
	assert.doesNotMatch(markdown, /## Order|kubectl delete|After:/);
	assert.match(markdown, /\*\*Nothing is replaced:\*\*/);
	assert.match(markdown, /--x\|"nothing leads here"\|/);
});

it("what is held back stands under Held back alone, with all that was written for it, and its way out stays", async () => {
	const { code, out, markdown } = await report(
		way + rule("  trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: ISTIO_MUTUAL}}]}\n"),
	);
	assert.equal(code, 1);
	assert.match(markdown, /\*\*Held back:\*\* `ServiceEntry shop\/one`/);
	assert.doesNotMatch(markdown, /### Written/);
	assert.ok(!existsSync(join(out, "2-switch")) && !existsSync(join(out, "3-remove")));
});

it("a way out that is not replaced keeps what it shares with one that is", async () => {
	const lonely = gateway("HTTP", undefined, 80).replaceAll("one", "two");
	const shared = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: gateway, namespace: shop}
spec: {host: istio-egressgateway.istio-system.svc.cluster.local}
---
`;
	const { out } = await report(way + origination + lonely + shared);
	assert.ok(existsSync(join(out, "3-remove/gateway.shop.one.yaml")));
	assert.ok(!existsSync(join(out, "3-remove/gateway.shop.two.yaml")));
	assert.ok(!existsSync(join(out, "3-remove/destinationrule.shop.gateway.yaml")));
});

it("the pictures name the objects of the input and every host, and the way back only folders that are there", async () => {
	const { markdown } = await report(
		way.replace(
			"  - match: [{gateways: [one], port: 80}]\n    route: [{destination: {host: api.one.example, port: {number: 443}}}]",
			"  - match: [{gateways: [one], port: 80}]\n    route: [{destination: {host: api.one.example, port: {number: 80}}}]",
		),
	);
	assert.match(markdown, /"VirtualService shop\/one"\| n1\["Gateway shop\/one"\]/);
	assert.match(markdown, /"waypoint edge\/out"\]/);
	const back = /### Back\n([^#]*)/.exec(markdown)?.[1] ?? "";
	assert.ok(back.includes("apply -f back/") && back.includes("apply -f 3-remove/"), back);
	assert.ok(!back.includes("2-switch"), back);
});

it("the report shows how to see that the old gateway is silent, and traces from the clients' namespaces", async () => {
	const clients = way
		.replace(
			"kind: VirtualService\nmetadata: {name: one, namespace: shop}",
			"kind: VirtualService\nmetadata: {name: one, namespace: till}",
		)
		.replace("gateways: [mesh, one]", "gateways: [mesh, shop/one]")
		.replaceAll("{gateways: [one]", "{gateways: [shop/one]");
	const { markdown } = await report(clients + origination);
	assert.match(markdown, /kubectl get pods -n istio-system -l istio=egressgateway -o name/);
	assert.match(markdown, /waymark trace api\.one\.example --from till --cluster/);
});

it("the report has what lint says of the input, besides that it is sidecar-style", async () => {
	const { markdown } = await report(
		way.replace("{number: 443, name: tls, protocol: TLS}", "{number: 70000, name: tls, protocol: TLS}") +
			origination,
	);
	assert.match(markdown, /## What lint says of the input\n\n- .*serviceentry-/);
});

it("REPORT.html loads nothing, draws its pictures, and lets no name out of its text", async () => {
	const { html } = await report(
		way + origination.replaceAll("name: one,", `name: "<script>alert(1)</script>",`),
	);
	assert.match(html, /<svg role="img" aria-label="Before"/);
	assert.match(html, /default-src 'none'/);
	assert.doesNotMatch(html, /<script|https?:\/\/|src=|href=/);
	assert.match(html, /&lt;script&gt;/);
});

it("--clients says what works where, and in which order", async () => {
	const { markdown } = await report(
		way + origination,
		"--clients",
		"ambient=till",
		"--clients",
		"sidecar=shop,pay",
	);
	assert.match(markdown, /Clients in `till` are in ambient already/);
	assert.match(markdown, /Clients in `shop`, `pay` have sidecars: they do not use waypoints/);
	assert.match(markdown, /Clients are in both worlds/);
	assert.doesNotMatch(markdown, /61620/);
	assert.match(markdown, /label the namespaces `shop`, `pay`/);
	assert.match(markdown, /--from till --cluster/);
	const { code } = await runVerb("migrate", folder.write("x.yaml", way), "--clients", "nowhere");
	assert.equal(code, 64);
});

it("the report does not know what sidecars of an Istio do that Waymark was not held against", async () => {
	const config = folder.write("newer.yaml", 'istioVersion: "1.32"\n');
	const { markdown } = await report(way + origination, "--clients", "sidecar=shop", "--config", config);
	assert.match(markdown, /up to Istio 1\.31 they do not use waypoints\. .* Istio 1\.32, .*61620/);
});

it("the way back deletes what was written under new names, in the window what changes clients", async () => {
	const { markdown } = await report(way + origination.replace("host: api.one.example", 'host: "*.example"'));
	const back = /### Back\n([^#]*)/.exec(markdown)?.[1] ?? "";
	const window = back.slice(0, back.indexOf("2. "));
	assert.match(
		window,
		/kubectl delete destinationrule\.networking\.istio\.io -n shop one-api-one-example --ignore-not-found/,
	);
	assert.doesNotMatch(back, /kubectl delete serviceentry/);
});

it("the report orders nothing, writes nothing and says would where no way out is replaced", async () => {
	const files = origination.replace(
		"mode: SIMPLE",
		"mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem",
	);
	const inside = way.replace(
		"  resolution: DNS\n",
		"  resolution: DNS\n  endpoints: [{address: one.shop.svc.cluster.local}]\n",
	);
	const { markdown } = await report(inside + files);
	assert.match(markdown, /0 of them replaced\. Of their fields \d+ would be carried over/);
	assert.doesNotMatch(markdown, /### Written|## Order|kubectl (?:apply|delete)/);
});

it("the report speaks of a first command only where there is one", async () => {
	const without = way.replace(/apiVersion: networking.istio.io\/v1\nkind: Gateway[\s\S]*?---\n/, "");
	const { markdown } = await report(without + origination);
	assert.doesNotMatch(markdown, /first command/);
	assert.match(markdown, /The input does not say which pods it has/);
	assert.match((await report(way + origination)).markdown, /two runs of the first command/);
});

it("the report says of a name of the cluster what it is, and draws the way to it", async () => {
	const inside = "one.outside.svc.cluster.local";
	const text = (
		gateway("HTTP", undefined, 80) +
		way.slice(way.indexOf("apiVersion: networking.istio.io/v1\nkind: VirtualService"))
	).replaceAll("api.one.example", inside);
	const { code, markdown } = await report(text);
	assert.equal(code, 1);
	assert.match(markdown, /`one\.outside\.svc\.cluster\.local` is a name of this cluster/);
	assert.match(markdown, /it leads to one\.outside\.svc\.cluster\.local, a name of this cluster/);
	assert.doesNotMatch(markdown, /no hop of the way out|nothing leads|serves other traffic/);
});
