import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import type { LintReport } from "../../src/lint/report.ts";
import { leavesOf } from "../../src/migrate/fields.ts";
import { unaccounted } from "../../src/migrate/ledger.ts";
import { rules } from "../../src/rules/table.ts";
import { bundles } from "../support/bundles.ts";
import { egressWorlds } from "../support/egress-worlds.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
let runs = 0;

interface Result {
	readonly code: number;
	readonly out: string;
	readonly json: {
		readonly summary: Readonly<Record<string, number>>;
		readonly bundles: readonly {
			readonly hosts: readonly string[];
			readonly notes: readonly string[];
			readonly remove: readonly { readonly kind: string; readonly name: string }[];
			readonly steering: readonly { readonly kind: string; readonly name: string }[];
			readonly ledger: readonly {
				readonly object: { readonly kind: string; readonly name: string };
				readonly path: string;
				readonly fate: string;
				readonly note: string;
			}[];
		}[];
		readonly withheld: readonly unknown[];
	};
}

interface Named {
	readonly kind: string;
	readonly metadata: { readonly name: string };
}

const schema = readFileSync(new URL("../../docs/schemas/migrate.schema.json", import.meta.url), "utf8");
const isResult = new Ajv2020({ strict: false }).compile(JSON.parse(schema));

async function migrate(name: string, text: string, ...argv: readonly string[]): Promise<Result> {
	const file = folder.write(`${name}.yaml`, text);
	const out = join(folder.path, `out-${runs++}`);
	const run = await runVerb("migrate", file, "--out", out, "--output", "json", ...argv);
	const json = JSON.parse(run.out);
	assert.ok(isResult(json), JSON.stringify(isResult.errors));
	return { code: run.code, out, json: json as unknown as Result["json"] };
}

const bundle = (name: string): string => bundles[name] ?? "";
// biome-ignore lint/suspicious/noExplicitAny: tests look into manifests of every kind
const read = (out: string, file: string): any => parse(readFileSync(join(out, file), "utf8"));

function fateOf({ json }: Result, kind: string, path: string): string | undefined {
	const all = json.bundles.flatMap((each) => each.ledger);
	return all.find((entry) => entry.object.kind === kind && entry.path === path)?.fate;
}

describe("waymark migrate", () => {
	const worlds = Object.entries(egressWorlds).map(
		([name, { text }]) => [name, text.replace(/---\n$/, "")] as const,
	);
	for (const [name, text] of [...Object.entries(bundles), ...worlds]) {
		let result: Promise<Result> | undefined;
		const migrated = (): Promise<Result> => {
			result ??= migrate(name, text);
			return result;
		};

		it(`accounts for every field of the bundle "${name}", and holds nothing back`, async () => {
			const { json } = await migrated();
			const ledger = json.bundles.flatMap((each) => each.ledger);
			assert.deepEqual(
				ledger
					.filter((entry) => entry.note === unaccounted)
					.map(({ object, path }) => `${object.kind} ${path}`),
				[],
			);
			const objects = text.split(/^---\n/m).map((document) => parse(document) as Named);
			// A host that is only split off to or mirrored to has an entry that stays as it is.
			const taken = new Set(ledger.map(({ object }) => `${object.kind} ${object.name}`));
			const own = objects.filter(({ kind, metadata }) => taken.has(`${kind} ${metadata.name}`));
			assert.ok(objects.every((each) => own.includes(each) || each.kind === "ServiceEntry"));
			const fields = own.flatMap((object) => [...leavesOf(object)]).length;
			// A policy for the gateway's pods belongs to every bundle, so its fields may be counted for each.
			const counted = new Set(ledger.map(({ object, path }) => `${object.kind}/${object.name} ${path}`));
			assert.equal(counted.size, fields, "every field is accounted for");
			assert.deepEqual(json.withheld, []);
		});

		it(`turns the bundle "${name}" into manifests that lint accepts where ambient is enforced`, async () => {
			const { out } = await migrated();
			const stages = ["1-add", "2-switch"]
				.map((stage) => join(out, stage))
				.filter((path) => existsSync(path));
			const lint = await runVerb("lint", "--assume", "ambient=enforced", "--output", "json", ...stages);
			const report = JSON.parse(lint.out) as LintReport;
			assert.deepEqual(
				report.findings.filter((each) => each.severity === "error").map((each) => each.message),
				[],
			);
		});
	}

	it("binds the entry that is there, keeps its comments, and needs no second stage for plain HTTP", async () => {
		const { out, code, json } = await migrate("plain", bundle("plain"));
		assert.equal(code, 0);
		assert.equal(
			readFileSync(join(out, "1-add/serviceentry.shop.payments.yaml"), "utf8"),
			`# Who pays, and how.
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: payments # the entry stays
  namespace: shop
  labels:
    istio.io/use-waypoint: egress-waypoint
    istio.io/use-waypoint-namespace: shop
spec:
  hosts:
  - api.payments.example
  ports:
  - number: 80
    name: http
    protocol: HTTP
  resolution: DNS
`,
		);
		assert.equal(existsSync(join(out, "2-switch")), false);
		assert.deepEqual(readdirSync(join(out, "3-remove")).toSorted(), [
			"destinationrule.shop.payments-gateway.yaml",
			"gateway.shop.payments.yaml",
			"virtualservice.shop.payments.yaml",
		]);
		const removed = readFileSync(join(out, "3-remove/destinationrule.shop.payments-gateway.yaml"), "utf8");
		assert.match(removed, /^# Only for the hop\.\n/);
		assert.equal(json.bundles[0]?.remove.length, 3);
	});

	it("writes a waypoint only where none is named", async () => {
		const fresh = await migrate("plain", bundle("plain"));
		assert.equal(
			read(fresh.out, "1-add/gateway.shop.egress-waypoint.yaml").spec.gatewayClassName,
			"istio-waypoint",
		);
		const named = await migrate("plain", bundle("plain"), "--waypoint", "istio-egress/shared");
		assert.ok(!readdirSync(join(named.out, "1-add")).some((file) => file.includes("gateway")));
		const { labels } = read(named.out, "1-add/serviceentry.shop.payments.yaml").metadata;
		assert.equal(labels["istio.io/use-waypoint-namespace"], "istio-egress");
		const annotated = `apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: {egress.waymark.dev/waypoint: edge/out}}\n---\n`;
		const policy = await migrate("plain", annotated + bundle("plain"));
		const bound = read(policy.out, "1-add/serviceentry.shop.payments.yaml").metadata.labels;
		assert.equal(bound["istio.io/use-waypoint"], "out");
	});

	it("moves TLS origination to the port that clients use, and retries to the waypoint", async () => {
		const result = await migrate("origination", bundle("origination"));
		const entry = read(result.out, "2-switch/serviceentry.shop.github.yaml");
		assert.deepEqual(entry.spec.ports, [
			{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 },
			{ number: 443, name: "https", protocol: "HTTPS" },
		]);
		const rule = read(result.out, "2-switch/destinationrule.shop.github-tls.yaml");
		assert.deepEqual(rule.spec.trafficPolicy, {
			connectionPool: { tcp: { connectTimeout: "3s" } },
			portLevelSettings: [{ port: { number: 80 }, tls: { mode: "SIMPLE", sni: "api.github.example" } }],
		});
		const route = read(result.out, "2-switch/virtualservice.shop.github-waypoint.yaml");
		assert.deepEqual(route.spec, {
			hosts: ["api.github.example"],
			http: [
				{
					timeout: "5s",
					retries: { attempts: 2, perTryTimeout: "2s", retryOn: "connect-failure" },
					headers: { request: { set: { "x-team": "shop" } } },
					route: [{ destination: { host: "api.github.example", port: { number: 80 } } }],
				},
			],
		});
		assert.equal(result.code, 1, "the connection pool of the hop is not carried");
		const pool = "spec.subsets[0].trafficPolicy.connectionPool.tcp.maxConnections";
		assert.equal(fateOf(result, "DestinationRule", pool), "not carried");
		assert.equal(fateOf(result, "VirtualService", "spec.http[0].timeout"), "not carried");
	});

	it("joins two VirtualServices and attaches the gateway's policy to the ServiceEntry", async () => {
		const result = await migrate("passthrough", bundle("passthrough"));
		assert.equal(result.json.bundles.length, 1);
		const policy = read(result.out, "1-add/authorizationpolicy.pay.only-billing-bank.yaml");
		assert.deepEqual(policy.spec, {
			action: "ALLOW",
			targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "bank" }],
			rules: [
				{
					from: [{ source: { principals: ["cluster.local/ns/pay/sa/billing"] } }],
					to: [{ operation: { ports: ["443"] } }],
				},
			],
		});
		assert.equal(fateOf(result, "Gateway", "spec.servers[0].hosts[1]"), "not carried");
		assert.match(result.json.bundles[0]?.notes.join("\n") ?? "", /had exportTo: ambient does not honour/);
	});

	it("moves mutual TLS with its Secret, drops the selector, and says where the Secret must stand", async () => {
		const result = await migrate("mutual", bundle("mutual"));
		const rule = read(result.out, "2-switch/destinationrule.shop.partner-mtls.yaml");
		assert.equal(rule.spec.workloadSelector, undefined);
		assert.deepEqual(rule.spec.trafficPolicy.portLevelSettings, [
			{
				port: { number: 80 },
				tls: { mode: "MUTUAL", credentialName: "partner-client", sni: "partner.example" },
			},
		]);
		assert.match(result.json.bundles[0]?.notes.join("\n") ?? "", /Secret `partner-client`/);
		const route = read(result.out, "2-switch/httproute.shop.partner-waypoint.yaml");
		assert.deepEqual(route.spec.rules, [
			{
				matches: [{ path: { type: "Exact", value: "/v1" } }],
				backendRefs: [{ group: "networking.istio.io", kind: "Hostname", name: "partner.example", port: 80 }],
				timeouts: { request: "500ms" },
			},
		]);
	});

	it("gives a wildcard host an entry of its own with DYNAMIC_DNS", async () => {
		const { out } = await migrate("wildcard", bundle("wildcard"));
		const names = read(out, "2-switch/serviceentry.docs.wiki.yaml").spec;
		assert.deepEqual([names.hosts, names.resolution], [["wiki.example"], "DNS"]);
		const wild = read(out, "1-add/serviceentry.docs.wiki-wildcard.yaml").spec;
		assert.deepEqual([wild.hosts, wild.resolution], [["*.wiki.example"], "DYNAMIC_DNS"]);
		assert.deepEqual(wild.ports, [{ number: 443, name: "https", protocol: "TLS" }]);
	});

	it("carries routes of the Gateway API over to the ServiceEntry", async () => {
		const { out, code } = await migrate("gatewayApi", bundle("gatewayApi"));
		assert.equal(code, 0);
		const route = read(out, "2-switch/httproute.news.from-gateway-waypoint.yaml");
		assert.equal(route.spec.parentRefs[0].kind, "ServiceEntry");
		assert.deepEqual(route.spec.rules[0].timeouts, { request: "5s" });
		assert.equal(readdirSync(join(out, "3-remove")).length, 3);
	});

	it("makes one entry of an ASMEgressTrafficPolicy's rules for one host, with TLS and who may use it", async () => {
		const result = await migrate("asm", bundle("asm"));
		const file = "serviceentry.istio-egress.egress-by-egressgateway-www-pay-example.yaml";
		assert.deepEqual(read(result.out, `2-switch/${file}`).spec.ports, [
			{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 },
			{ number: 443, name: "https", protocol: "HTTPS" },
		]);
		const policy = read(result.out, `1-add/${file.replace("serviceentry", "authorizationpolicy")}`);
		assert.deepEqual(policy.spec.rules[0], {
			from: [{ source: { namespaces: ["shop"] } }],
			to: [{ operation: { ports: ["80"] } }],
		});
		const selector = "spec.egressRules[0].from[0].workloadSelector.app";
		assert.equal(fateOf(result, "ASMEgressTrafficPolicy", selector), "not carried");
	});

	it("says why what cannot be carried is not", async () => {
		const result = await migrate("hard", bundle("hard"));
		assert.equal(result.code, 1);
		for (const [kind, path] of [
			["ServiceEntry", "spec.meshConfig.outboundTrafficPolicy.mode"],
			["Gateway", "spec.servers[0].bind"],
			["Gateway", "spec.servers[0].tls.minProtocolVersion"],
			["VirtualService", "spec.tls[1].route[0].destination.host"],
			["VirtualService", "spec.tcp[0].match[0].destinationSubnets[0]"],
			["DestinationRule", "spec.trafficPolicy.tunnel.protocol"],
			["Sidecar", "spec.outboundTrafficPolicy.egressProxy.host"],
			["EnvoyFilter", "spec.configPatches"],
		] as const) {
			assert.equal(fateOf(result, kind, path), "not carried", `${kind} ${path}`);
		}
		const agent = read(result.out, "1-add/serviceentry.ci.build-ci-build-example.yaml").spec;
		assert.deepEqual(agent.hosts, ["ci.build.example"]);
	});

	it("reports in Markdown: pictures, order, way back, checks", async () => {
		const { out } = await migrate("origination", bundle("origination"));
		const report = readFileSync(join(out, "REPORT.md"), "utf8");
		assert.equal(report.match(/```mermaid/g)?.length, 2);
		for (const words of ["kubectl apply -f 2-switch/", "### Back", "### Not carried", "waymark trace"]) {
			assert.ok(report.includes(words), words);
		}
	});

	it("names only the stages that there are", async () => {
		const report = async (name: string): Promise<string> =>
			readFileSync(
				join((await migrate(name, bundle(name), "--waypoint", "edge/out")).out, "REPORT.md"),
				"utf8",
			);
		const [plain, origination] = [await report("plain"), await report("origination")];
		assert.ok(plain.includes("apply -f 1-add/") && !plain.includes("apply -f 2-switch/"));
		assert.ok(!origination.includes("apply -f 1-add/") && origination.includes("apply -f 2-switch/"));
	});

	it("says which routes have to go when the clients move, since a waypoint would obey them", async () => {
		const command = "kubectl delete virtualservice.networking.istio.io -n shop github";
		const { out, json } = await migrate("origination", bundle("origination"));
		assert.ok(readFileSync(join(out, "REPORT.md"), "utf8").includes(command));
		assert.deepEqual(
			json.bundles[0]?.steering.map(({ kind, name }) => `${kind} ${name}`),
			["VirtualService github"],
		);
		const elsewhere = bundle("origination").replace(
			"name: github-tls, namespace: shop",
			"name: github-tls, namespace: x",
		);
		const moved = elsewhere.replace(
			"metadata: {name: github, namespace: shop}\nspec:\n  hosts: [api.github.example]\n  gateways",
			"metadata: {name: github, namespace: clients}\nspec:\n  hosts: [api.github.example]\n  gateways",
		);
		assert.deepEqual((await migrate("moved", moved)).json.bundles[0]?.steering, []);
	});

	it("leaves everything else alone, and names it", async () => {
		const text = `apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: public, namespace: shop}\nspec: {selector: {istio: ingressgateway}}\n`;
		const { json, code, out } = await migrate("ingress", text);
		assert.equal(code, 0);
		assert.equal(json.summary.bundles, 0);
		assert.match(readFileSync(join(out, "REPORT.md"), "utf8"), /Gateway shop\/public/);
	});

	it("survives objects of any shape, among them every rule's examples", async () => {
		const odd = [
			"apiVersion: networking.istio.io/v1\nkind: Gateway\nspec: {selector: 5, servers: no}\n",
			"apiVersion: networking.istio.io/v1\nkind: VirtualService\nspec: {hosts: {a: 1}, http: [null, 3]}\n",
			"kind: AuthorizationPolicy\nspec: {selector: {matchLabels: {istio: egressgateway}}, rules: 7}\n",
			...rules.flatMap((rule) => [rule.docs.bad, rule.docs.good].map((object) => JSON.stringify(object))),
		];
		const { code } = await migrate("odd", odd.join("\n---\n"));
		assert.ok(code === 0 || code === 1, String(code));
	});

	it("writes no file outside its folder, whatever the names", async () => {
		const text = bundle("plain").replaceAll("name: payments", 'name: "../../../evil"');
		const { out } = await migrate("evil", text);
		for (const stage of readdirSync(out)) {
			assert.ok(["1-add", "2-switch", "3-remove", "REPORT.md", "REPORT.html"].includes(stage), stage);
		}
		assert.equal(existsSync(join(folder.path, "evil.yaml.yaml")), false);
	});

	it("ends with 64 for arguments that make no sense, among them a folder that is not empty or cannot be", async () => {
		const file = folder.write("some.yaml", bundle("plain"));
		for (const argv of [
			[],
			[file, "--waypoint", "x"],
			[file, "--output", "xml"],
			[file, "--out", folder.path],
			[file, "--out", file],
			[file, "--out", join(file, "below")],
			// Node's own recursion would never end here.
			...(existsSync("/proc/self") ? [[file, "--out", "/proc/waymark/migration"]] : []),
		]) {
			assert.equal((await runVerb("migrate", ...argv)).code, 64, argv.join(" "));
		}
	});
});
