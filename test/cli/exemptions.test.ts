import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import type { Namespace } from "../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../src/rules/examples.ts";
import { runVerb } from "../support/run-verb.ts";

const folder = mkdtempSync(join(tmpdir(), "waymark-exemptions-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, objects: readonly object[]): string {
	const path = join(folder, name);
	writeFileSync(path, objects.map((each) => stringify(each)).join("---\n"));
	return path;
}

function namespaceWith(name: string, annotations: Readonly<Record<string, string>>): Namespace {
	return { apiVersion: "v1", kind: "Namespace", metadata: { name, annotations } };
}

function inDays(days: number): string {
	return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}

const rule = "serviceentry-wildcard-resolution";
const annotation = `egress.waymark.dev/exempt.${rule}`;

describe("waymark exemptions", () => {
	const path = file("list.yaml", [
		namespaceWith("late", { [annotation]: `until=${inDays(30)} reason=moves in spring` }),
		namespaceWith("soon", {
			[annotation]: `until=${inDays(3)} reason=is being rebuilt owner=team-a ticket=EG-1`,
		}),
		namespaceWith("over", { [annotation]: `until=${inDays(-2)} reason=was forgotten` }),
		namespaceWith("none", {}),
	]);

	it("lists exemptions by days left, with owner, ticket and reason", async () => {
		const { code, out } = await runVerb("exemptions", path);
		assert.equal(code, 0);
		const lines = out.trimEnd().split("\n");
		assert.match(lines[0] ?? "", /^LEFT +UNTIL +NAMESPACE +RULE +OWNER +REASON$/);
		assert.deepEqual(
			lines.slice(1).map((line) => /^(ended|\d+ days?)/.exec(line)?.[0]),
			["ended", "3 days", "30 days"],
		);
		assert.match(lines[2] ?? "", /soon +serviceentry-wildcard-resolution +team-a EG-1 +is being rebuilt$/);
	});

	it("--write prints nothing that would excuse nothing, say something else or be refused", async () => {
		const config = join(folder, "strict.yaml");
		writeFileSync(config, "exemptions: {requireOwner: true, requireTicket: true, longestDays: 60}\n");
		const owned = ["--owner", "team-a", "--ticket", "EG-1"];
		for (const [args, message] of [
			[["--until", inDays(-1), "--reason", "x"], /--until .* is over/],
			[["--until", "2026-02-30", "--reason", "x"], /--until YYYY-MM-DD/],
			[["--until", inDays(5), "--reason", "as owner=me was"], /one text each/],
			[["--until", inDays(5), "--reason", "x", "--config", config], /refused .* names no owner/],
			[["--until", inDays(90), "--reason", "x", ...owned, "--config", config], /refused .* lasts 90 days/],
		] as const) {
			const { code, error, out } = await runVerb("exemptions", "--write", ...args, path);
			assert.deepEqual([code, out], [64, ""], args.join(" "));
			assert.match(error, message);
		}
		const good = ["--until", inDays(50), "--reason", "x", ...owned, "--config", config];
		assert.equal((await runVerb("exemptions", "--write", ...good, path)).code, 0);
	});

	it("says of which cluster they are, where the configuration gives it a name", async () => {
		const config = join(folder, "config.yaml");
		writeFileSync(config, "audit: {cluster: eu-1}\n");
		const { out } = await runVerb("exemptions", path, "--config", config);
		assert.match(out, /^Cluster eu-1\nLEFT +UNTIL /);
		const json = await runVerb("exemptions", path, "--config", config, "--output", "json");
		assert.equal((JSON.parse(json.out) as { readonly cluster: string }).cluster, "eu-1");
		const none = await runVerb("exemptions", path, "--output", "json");
		assert.deepEqual(Object.keys(JSON.parse(none.out) as object), ["version", "exemptions"]);
	});

	it("as JSON has the same for programs", async () => {
		const { out } = await runVerb("exemptions", path, "--output", "json");
		const { version, exemptions } = JSON.parse(out);
		assert.equal(version, 1);
		assert.deepEqual(exemptions[1], {
			namespace: "soon",
			rule,
			until: inDays(3),
			daysLeft: 3,
			reason: "is being rebuilt",
			owner: "team-a",
			ticket: "EG-1",
		});
	});

	it("--within exits with 1 exactly when one ends so soon or has ended", async () => {
		const later = file("later.yaml", [
			namespaceWith("late", { [annotation]: `until=${inDays(30)} reason=x` }),
		]);
		assert.equal((await runVerb("exemptions", path, "--within", "0")).code, 1);
		assert.equal((await runVerb("exemptions", later, "--within", "14")).code, 0);
		assert.equal((await runVerb("exemptions", later, "--within", "31")).code, 1);
	});

	it("says so where there are none", async () => {
		const { out } = await runVerb("exemptions", file("none.yaml", [namespaceWith("none", {})]));
		assert.equal(out, "No namespace is exempt from any rule.\n");
	});

	it("keeps a reason on its line", async () => {
		const hostile = file("hostile.yaml", [
			namespaceWith("n", { [annotation]: `until=${inDays(3)} reason=one\nLEFT forged` }),
		]);
		const { out } = await runVerb("exemptions", hostile);
		assert.equal(out.trimEnd().split("\n").length, 2);
	});
});

describe("waymark exemptions --write", () => {
	const bad = withSpec(boundEntry, { hosts: ["*.example.com"], resolution: "NONE" });
	const objects = [teamNamespace, egressNamespace, egressWaypoint, bad];
	const flags = ["--write", "--until", inDays(60), "--reason", "as it was", "--owner", "team-a"];

	it("prints exemptions that make the same lint pass, and none where nothing is broken", async () => {
		const path = file("bad.yaml", objects);
		assert.equal((await runVerb("lint", path)).code, 1);
		const { code, out } = await runVerb("exemptions", ...flags, path);
		assert.equal(code, 0);
		const [namespace, ...more] = parseAllDocuments(out).map((each) => each.toJS() as Namespace);
		assert.deepEqual(more, []);
		assert.equal(namespace?.metadata?.name, "team");
		assert.equal(
			namespace?.metadata?.annotations?.[annotation],
			`until=${inDays(60)} reason=as it was owner=team-a`,
		);
		const annotations = { ...teamNamespace.metadata?.annotations, ...namespace?.metadata?.annotations };
		const excused = { ...teamNamespace, metadata: { ...teamNamespace.metadata, annotations } };
		assert.equal((await runVerb("lint", file("excused.yaml", [excused, ...objects.slice(1)]))).code, 0);
		const clean = file("clean.yaml", [teamNamespace, egressNamespace, egressWaypoint, boundEntry]);
		assert.equal((await runVerb("exemptions", ...flags, clean)).out, "");
	});

	for (const [what, args] of [
		["no day", ["--write", "--reason", "x"]],
		["a day that cannot be", ["--write", "--until", "2027-13-40", "--reason", "x"]],
		["no reason", ["--write", "--until", "2027-01-01"]],
	] as const) {
		it(`refuses ${what}`, async () => {
			assert.equal((await runVerb("exemptions", ...args, folder)).code, 64);
		});
	}
});
