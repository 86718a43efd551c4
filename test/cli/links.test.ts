import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stringify } from "yaml";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
} from "../../src/rules/examples.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
const world = folder.write(
	"world.yaml",
	[
		withAnnotations(teamNamespace, { "egress.waymark.dev/denied-hosts": "*.example.com" }),
		...[egressNamespace, egressWaypoint, boundEntry],
	]
		.map((each) => stringify(each))
		.join("---\n"),
);
const config = folder.write(
	"waymark.yaml",
	'links: https://docs.example.com/rules\ncontact: "#egress ($& on call)"\n',
);
const id = "serviceentry-policy-host";

interface Found {
	readonly findings: readonly { readonly rule: string; readonly hint: string; readonly url: string | null }[];
}

interface Sarif {
	readonly runs: readonly {
		readonly tool: { readonly driver: { readonly rules: readonly { readonly helpUri?: string }[] } };
	}[];
}

async function lint(...argv: readonly string[]): Promise<string> {
	const { code, out } = await runVerb("lint", world, ...argv);
	assert.equal(code, 1);
	return out;
}

describe("links and contact of the configuration", () => {
	it("are what lint's JSON gives as address and whom its hints name", async () => {
		const plain = JSON.parse(await lint("-o", "json")) as Found;
		const ours = JSON.parse(await lint("-o", "json", "--config", config)) as Found;
		const find = ({ findings }: Found): Found["findings"][number] | undefined =>
			findings.find(({ rule }) => rule === id);
		assert.deepEqual(
			[find(plain)?.url, find(plain)?.hint],
			[null, "Remove the host, or ask the security team"],
		);
		assert.deepEqual(
			[find(ours)?.url, find(ours)?.hint],
			[`https://docs.example.com/rules/${id}`, "Remove the host, or ask #egress ($& on call)"],
		);
	});

	it("are what SARIF gives as help of each rule, and without them it names no address", async () => {
		const help = (text: string): readonly (string | undefined)[] =>
			(JSON.parse(text) as Sarif).runs[0]?.tool.driver.rules.map(({ helpUri }) => helpUri) ?? [];
		assert.ok(help(await lint("-o", "sarif")).every((each) => each === undefined));
		const named = help(await lint("-o", "sarif", "--config", config));
		assert.ok(named.includes(`https://docs.example.com/rules/${id}`));
		assert.ok(named.every((each) => each?.startsWith("https://docs.example.com/rules/")));
	});

	it("are what rules and explain give as address", async () => {
		const { out } = await runVerb("rules", "--output", "json", "--config", config);
		const urls = (JSON.parse(out) as readonly { readonly id: string; readonly url: string | null }[]).map(
			(rule) => [rule.id, rule.url],
		);
		assert.ok(urls.every(([rule, url]) => url === `https://docs.example.com/rules/${rule}`));
		const page = await runVerb("explain", id, "--config", config);
		assert.match(page.out, new RegExp(`https://docs\\.example\\.com/rules/${id}\\n$`));
		assert.doesNotMatch((await runVerb("explain", id)).out, new RegExp(`https://[^ ]*/${id}`));
	});

	it("stand in the policies that export prints, and the command stands there without them", async () => {
		const plain = await runVerb("export", "admission-policies");
		assert.match(plain.out, /waymark explain /);
		const ours = await runVerb("export", "admission-policies", "--config", config);
		assert.match(ours.out, /https:\/\/docs\.example\.com\/rules\//);
		assert.match(ours.out, /ask #egress \(\$& on call\)/);
		assert.doesNotMatch(ours.out, /waymark explain |ask the security team/);
	});
});
