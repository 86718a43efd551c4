import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { entry, gateway, gatewayHost, http, policy, route, steer, tls } from "../support/egress-worlds.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
let runs = 0;

/** The gateway listens on 443 for what clients send to 80. */
const way = [
	entry("one", http),
	gateway("HTTPS", "ISTIO_MUTUAL", 443),
	route(`  http:
${steer(80, 443)}  - match: [{gateways: [one], port: 443}]
    route: [{destination: {host: api.one.example, port: {number: 80}}}]
`),
];

interface Moved {
	readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
	readonly spec: { readonly rules?: readonly unknown[] };
}

async function moved(
	...texts: readonly string[]
): Promise<{ readonly policies: readonly Moved[]; readonly report: string }> {
	const file = folder.write(`${runs}.yaml`, texts.join(""));
	const out = join(folder.path, `out-${runs++}`);
	const { code, error } = await runVerb("migrate", file, "--out", out, "--waypoint", "edge/out");
	assert.ok(code === 0 || code === 1, error);
	const files = readdirSync(join(out, "1-add")).filter((name) => /^(?:authorization|request)/.test(name));
	return {
		policies: files.map((name) => parse(readFileSync(join(out, "1-add", name), "utf8")) as Moved),
		report: readFileSync(join(out, "REPORT.md"), "utf8"),
	};
}

/** The rules of a policy that has these rules at the gateway. */
async function rulesOf(rules: string, action = "DENY"): Promise<readonly unknown[] | undefined | "none"> {
	const { policies } = await moved(...way, policy("p", `  action: ${action}\n  rules: ${rules}\n`));
	return policies.length === 0 ? "none" : policies[0]?.spec.rules;
}

describe("carriedRule", () => {
	it("names the ports of the clients where the gateway's were named", async () => {
		const expected = [{ to: [{ operation: { ports: ["80"] } }] }];
		assert.deepEqual(await rulesOf('[{to: [{operation: {ports: ["443", "9"]}}]}]'), expected);
		// The gateway's pods listen on 8443 for the Service's 443.
		assert.deepEqual(await rulesOf('[{to: [{operation: {ports: ["8443"]}}]}]'), expected);
		assert.deepEqual(await rulesOf('[{when: [{key: destination.port, values: ["443"]}]}]'), [
			{ when: [{ key: "destination.port", values: ["80"] }] },
		]);
	});

	it("leaves out what no request of these clients can be", async () => {
		assert.equal(await rulesOf('[{to: [{operation: {ports: ["15443"]}}]}]'), "none");
		assert.equal(await rulesOf('[{to: [{operation: {notPorts: ["443"]}}]}]'), "none");
		assert.equal(await rulesOf("[{to: [{operation: {hosts: [other.example]}}]}]"), "none");
		assert.equal(await rulesOf('[{when: [{key: destination.port, notValues: ["443"]}]}]'), "none");
	});

	it("keeps an ALLOW that lets nobody in, as the gateway did", async () => {
		assert.equal(await rulesOf("[{to: [{operation: {hosts: [other.example]}}]}]", "ALLOW"), undefined);
	});

	it("understands every form of a host", async () => {
		for (const host of ["*", "*.one.example", "api.*", "API.one.example", "api.one.example:80"]) {
			assert.notEqual(await rulesOf(`[{to: [{operation: {hosts: ["${host}"]}}]}]`), "none", host);
		}
	});

	it("is stricter where it cannot say the same, and says so", async () => {
		const condition = "when: [{key: destination.ip, values: [10.0.0.1]}]";
		assert.deepEqual(await rulesOf(`[{from: [{source: {namespaces: [a]}}], ${condition}}]`), [
			{ from: [{ source: { namespaces: ["a"] } }] },
		]);
		assert.equal(await rulesOf(`[{${condition}}]`, "ALLOW"), undefined);
		const { report } = await moved(...way, policy("p", `  rules: [{${condition}}]\n`));
		assert.match(report, /destination\.ip means something else at a waypoint: the rule is left out/);
	});

	it("takes the SNI of the hop for the host's, and that of passed TLS as it is", async () => {
		const sni = "when: [{key: connection.sni, values: [api.one.example]}]";
		assert.deepEqual(await rulesOf(`[{from: [{source: {namespaces: [a]}}], ${sni}}]`), [
			{ from: [{ source: { namespaces: ["a"] } }] },
		]);
		const passed = [
			entry("one", tls),
			gateway("TLS", "PASSTHROUGH", 443),
			route(`  tls:
  - match: [{gateways: [mesh], port: 443, sniHosts: [api.one.example]}]
    route: [{destination: {host: ${gatewayHost}, port: {number: 443}}}]
`),
			policy("p", `  rules: [{${sni}}]\n`),
		];
		assert.deepEqual((await moved(...passed)).policies[0]?.spec.rules, [
			{ when: [{ key: "connection.sni", values: ["api.one.example"] }] },
		]);
	});
});

describe("movedPolicies", () => {
	it("keeps a policy on trial one on trial", async () => {
		const trial = policy("p", "  rules: [{}]\n").replace(
			"{name: p,",
			'{name: p, annotations: {istio.io/dry-run: "true"},',
		);
		const { policies } = await moved(...way, trial);
		assert.equal(policies[0]?.metadata.annotations?.["istio.io/dry-run"], "true");
	});

	it("moves what reads tokens too, since policies may ask for them", async () => {
		const tokens = policy("p", '  jwtRules: [{issuer: a, jwksUri: "https://a.example/keys"}]\n');
		const { policies } = await moved(...way, tokens.replace("AuthorizationPolicy", "RequestAuthentication"));
		assert.deepEqual(policies[0]?.spec, {
			jwtRules: [{ issuer: "a", jwksUri: "https://a.example/keys" }],
			targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "one" }],
		});
	});

	it("notes the policies that held at the gateway because of its namespace", async () => {
		const wide = policy("wide", "  rules: [{}]\n").replace(/ {2}selector:.*\n/, "");
		const { policies, report } = await moved(...way, wide);
		assert.equal(policies.length, 0);
		assert.match(report, /`istio-system\/wide` holds for the whole mesh/);
	});
});
