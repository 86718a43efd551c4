import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { main } from "../../src/main.ts";

async function run(...argv: readonly string[]): Promise<{ code: number; out: string; error: string }> {
	let [out, error] = ["", ""];
	const code = await main(["export", ...argv], {
		out: (text) => {
			out += text;
		},
		error: (text) => {
			error += text;
		},
		colour: false,
	});
	return { code, out, error };
}

describe("waymark export", () => {
	it("names its subjects when it gets none or another one", async () => {
		const { code, error } = await run("recipes");
		assert.equal(code, 64);
		assert.match(error, /there is no export "recipes"; it is one of .*admission-policies/);
		assert.equal((await run()).code, 64);
		assert.match((await run("network-policy")).error, /did you mean network-policies\?/);
	});

	it("SUBJECT --help is the subject's help, and a mistyped flag of it gets a suggestion in one line", async () => {
		const { code, out } = await run("network-policies", "--help");
		assert.equal(code, 0);
		assert.match(out, /--allow CIDR/);
		const mistyped = await run("network-policies", "--alow", "10.0.0.0/8");
		assert.deepEqual(mistyped, {
			code: 64,
			out: "",
			error: 'waymark: there is no flag "--alow"; did you mean --allow?\n',
		});
	});

	it("--namespace prints what is for one namespace", async () => {
		const folder = mkdtempSync(join(tmpdir(), "waymark-export-"));
		const file = join(folder, "world.yaml");
		const namespaces = ["one", "two"].map((name) => ({
			apiVersion: "v1",
			kind: "Namespace",
			metadata: { name, labels: { "istio.io/dataplane-mode": "ambient" } },
		}));
		writeFileSync(file, namespaces.map((each) => JSON.stringify(each)).join("\n---\n"));
		const namespacesOf = async (...flags: readonly string[]): Promise<readonly string[]> => {
			const { out } = await run("network-policies", "--allow", "10.0.0.0/8", ...flags, file);
			return parseAllDocuments(out).map(
				(document) => (document.toJS() as { metadata: { namespace: string } }).metadata.namespace,
			);
		};
		assert.deepEqual([...new Set(await namespacesOf())].toSorted(), ["one", "two"]);
		assert.deepEqual([...new Set(await namespacesOf("--namespace", "two"))], ["two"]);
		rmSync(folder, { recursive: true });
	});
});

describe("waymark export admission-policies", () => {
	it("prints YAML that can be read, with the rules that it holds at its head", async () => {
		const { code, out } = await run("admission-policies", "--inject", "--live");
		assert.equal(code, 0);
		const kinds = parseAllDocuments(out)
			.map((document) => (document.toJS() as { kind: string } | null)?.kind)
			.filter((kind) => kind !== undefined);
		assert.ok(kinds.includes("MutatingAdmissionPolicy") && kinds.includes("CustomResourceDefinition"));
		assert.match(out, /^# Printed by waymark \S+ for Kubernetes 1\.36/);
		assert.match(out, /# Held by these policies, \d+ rules:\n(# {3}.*\n)*# {3}serviceentry-policy-host\n/);
		assert.match(out, /# Held by Waymark only, \d+ rules:\n(# {3}.*\n)*# {3}.*serviceentry-host-shadow/);
	});

	it("says the rules that need the table only where it prints it", async () => {
		const head = (out: string): string => out.slice(0, out.indexOf("# Held by Waymark only"));
		assert.match(head((await run("admission-policies", "--live")).out), /serviceentry-waypoint-existence/);
		assert.doesNotMatch(head((await run("admission-policies")).out), /serviceentry-waypoint-existence/);
	});

	it("claims no rule that nothing in it holds", async () => {
		const head = (out: string): string => out.slice(0, out.indexOf("# Held by Waymark only"));
		const plain = head((await run("admission-policies")).out);
		assert.match(plain, /# Nobody is named who may edit policies/);
		assert.match(plain, /# {3}namespace-annotation/);
		assert.doesNotMatch(plain, /# {3}namespace-(editor|label)/);
		const byRbac = head((await run("admission-policies", "--editors", "rbac")).out);
		assert.match(byRbac, /# {3}namespace-editor/);
		assert.doesNotMatch(byRbac, /# Nobody is named/);
		const adding = head((await run("admission-policies", "--static-manifests", "--inject")).out);
		assert.match(
			adding,
			/# They only add labels, and refuse nothing[^\n]+\n(#[^\n]*\n)*# Held by these policies, 0 rules:/,
		);
	});

	it("refuses what does not go together, and says why", async () => {
		for (const [argv, reason] of [
			[["--kubernetes", "1.29"], /from 1\.30 to 1\.37/],
			[["--kubernetes", "36"], /from 1\.30 to 1\.37/],
			[["--inject", "--kubernetes", "1.33"], /--inject needs Kubernetes 1\.34/],
			[["--static-manifests", "--live"], /no parameter/],
			[["--static-manifests", "--kubernetes", "1.35"], /needs Kubernetes 1\.36/],
			[["--editors", "me"], /config or rbac/],
			[["--exempt-namespace", "A B"], /"A B" is not a name in Kubernetes/],
		] as const) {
			const { code, error } = await run("admission-policies", ...argv);
			assert.equal(code, 64, argv.join(" "));
			assert.match(error, reason);
		}
	});

	it("prints the limits of a configuration, and lists what is wrong with one", async () => {
		const folder = mkdtempSync(join(tmpdir(), "waymark-export-"));
		try {
			const file = join(folder, "config.yaml");
			writeFileSync(file, "limits:\n  allowedHosts: ['*.corp.example']\n");
			assert.match((await run("admission-policies", "--config", file)).out, /\*\.corp\.example/);
			writeFileSync(file, "limits:\n  allowedHosts: ['a b']\n");
			assert.equal((await run("admission-policies", "--config", file)).code, 65);
		} finally {
			rmSync(folder, { recursive: true });
		}
	});
});
