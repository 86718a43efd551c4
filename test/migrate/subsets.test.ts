import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { parse } from "yaml";
import { entry, gateway, http, route, rule, steer, tls } from "../support/egress-worlds.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
const host = "api.one.example";

interface Written {
	readonly rule: Record<string, unknown> | undefined;
	readonly route: Record<string, unknown> | undefined;
	readonly ledger: readonly { readonly path: string; readonly fate: string; readonly note: string }[];
	readonly report: string;
}

/** What migrate makes of a way out whose gateway sends to `destinations`. */
async function migrated(name: string, destinations: string, ruleSpec: string): Promise<Written> {
	const text =
		entry("one", http, tls) +
		gateway("HTTP", undefined, 80) +
		route(`  http:
${steer(80)}  - match: [{gateways: [one], port: 80}]
    route: ${destinations}
`) +
		(ruleSpec === "" ? "" : rule(ruleSpec));
	const out = join(folder.path, name);
	const { code, out: json } = await runVerb(
		"migrate",
		folder.write(`${name}.yaml`, text),
		"--out",
		out,
		"--output",
		"json",
	);
	assert.ok(code < 2, json);
	const stage = join(out, "2-switch");
	const specs = (existsSync(stage) ? readdirSync(stage) : []).map(
		(file) => [file, parse(readFileSync(join(stage, file), "utf8")).spec] as const,
	);
	const of = (kind: string): Record<string, unknown> | undefined =>
		specs.find(([file]) => file.startsWith(kind))?.[1];
	return {
		rule: of("destinationrule"),
		route: of("virtualservice"),
		ledger: JSON.parse(json).bundles[0].ledger,
		report: readFileSync(join(out, "REPORT.md"), "utf8"),
	};
}

const toSubset = (name: string, more = ""): string =>
	`[{destination: {host: ${host}, subset: ${name}, port: {number: 443}}}${more}]`;
const subsetPath = "spec.http[1].route[0].destination.subset";

it("TLS that begins in the one subset of a host begins for the host itself, with the settings of both", async () => {
	const { rule, route, ledger } = await migrated(
		"sole",
		toSubset("secure"),
		`  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3}, loadBalancer: {simple: RANDOM}}
  subsets:
  - name: secure
    trafficPolicy:
      portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE, sni: ${host}}, loadBalancer: {simple: LEAST_REQUEST}}]
`,
	);
	assert.equal(route, undefined);
	assert.deepEqual(rule, {
		host,
		trafficPolicy: {
			outlierDetection: { consecutive5xxErrors: 3 },
			loadBalancer: { simple: "RANDOM" },
			portLevelSettings: [
				{
					loadBalancer: { simple: "LEAST_REQUEST" },
					port: { number: 443 },
				},
				{
					loadBalancer: { simple: "LEAST_REQUEST" },
					port: { number: 80 },
					tls: { mode: "SIMPLE", sni: host },
				},
			],
		},
	});
	assert.equal(ledger.find(({ path }) => path === subsetPath)?.fate, "carried");
});

it("a subset wins over what its host says for a port", async () => {
	const { rule } = await migrated(
		"over",
		toSubset("secure"),
		`  trafficPolicy: {portLevelSettings: [{port: {number: 443}, loadBalancer: {simple: RANDOM}}]}
  subsets: [{name: secure, trafficPolicy: {tls: {mode: SIMPLE, sni: ${host}}}}]
`,
	);
	const { trafficPolicy } = rule as { trafficPolicy: { portLevelSettings: readonly object[] } };
	const [, clients] = trafficPolicy.portLevelSettings;
	const settings = { loadBalancer: { simple: "RANDOM" }, tls: { mode: "SIMPLE", sni: host } };
	assert.deepEqual(clients, { port: { number: 80 }, ...settings });
});

it("a subset's tunnel is named as not carried, and written nowhere: the API server refuses it for a port", async () => {
	const { rule, ledger } = await migrated(
		"whole",
		toSubset("secure"),
		`  trafficPolicy: {portLevelSettings: [{port: {number: 443}, loadBalancer: {simple: RANDOM}}]}
  subsets:
  - name: secure
    trafficPolicy:
      tls: {mode: SIMPLE, sni: ${host}}
      tunnel: {protocol: CONNECT, targetHost: proxy.example, targetPort: 443}
`,
	);
	const { trafficPolicy } = rule as { trafficPolicy: { portLevelSettings: readonly object[] } };
	const settings = { loadBalancer: { simple: "RANDOM" }, tls: { mode: "SIMPLE", sni: host } };
	assert.deepEqual(trafficPolicy.portLevelSettings.at(-1), { port: { number: 80 }, ...settings });
	assert.doesNotMatch(JSON.stringify(rule), /tunnel/);
	const lost = ledger.filter(({ path }) => path.includes("tunnel"));
	assert.deepEqual([...new Set(lost.map(({ fate }) => fate))], ["not carried"]);
});

it("one of several subsets, or one that chooses endpoints, stays in a route of the waypoint", async () => {
	const two = `  subsets: [{name: one, trafficPolicy: {tls: {mode: SIMPLE}}}, {name: two}]\n`;
	const shares = `, weight: 60}, {destination: {host: ${host}, subset: two, port: {number: 443}}, weight: 40}]`;
	const split = await migrated("two", toSubset("one").replace(/}]$/, shares), two);
	const labelled = await migrated(
		"labelled",
		toSubset("one"),
		`  subsets: [{name: one, labels: {region: eu}, trafficPolicy: {tls: {mode: SIMPLE}}}]\n`,
	);
	for (const { route, ledger } of [split, labelled]) {
		const [first] = (route as { http: readonly { route: readonly { destination: object }[] }[] }).http;
		assert.deepEqual(first?.route[0]?.destination, { host, subset: "one", port: { number: 80 } });
		assert.equal(ledger.find(({ path }) => path === subsetPath)?.fate, "carried");
	}
});

it("a subset that no DestinationRule has is named as lost", async () => {
	const { ledger, report } = await migrated("unknown", toSubset("secure"), "");
	assert.equal(ledger.find(({ path }) => path === subsetPath)?.fate, "not carried");
	assert.match(report, /names a subset, but no DestinationRule of the input has a subset "secure"/);
});
