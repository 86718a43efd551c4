import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { LintReport } from "../../src/lint/report.ts";
import { parseManifests } from "../../src/manifests/read.ts";
import type { Outcome } from "../support/run-verb.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";
import { runScript } from "../support/serve-process.ts";

const folder = temporaryFolder();
const namespace = `apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {istio.io/dataplane-mode: ambient}
  annotations: {egress.waymark.dev/allowed-hosts: "*.shop.example"}
`;
const waypoint = (name: string): string => `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: istio-egress}
spec:
  gatewayClassName: istio-waypoint
  listeners:
  - {name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}
`;
const entry = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: elsewhere
  namespace: shop
  labels: {istio.io/use-waypoint: egress, istio.io/use-waypoint-namespace: istio-egress}
spec:
  hosts: [elsewhere.example.org]
  ports: [{number: 443, name: tls, protocol: TLS}]
  location: MESH_EXTERNAL
  resolution: DNS
`;
const file = folder.write("apps/entry.yaml", entry);
folder.write("platform/shop.yaml", namespace);
folder.write("platform/waypoint.yaml", waypoint("egress"));
const platform = join(folder.path, "platform");

async function lintJson(
	...argv: readonly string[]
): Promise<{ readonly code: number; readonly report: LintReport }> {
	const { code, out } = await runVerb("lint", "--output", "json", ...argv);
	return { code, report: JSON.parse(out) as LintReport };
}

describe("waymark lint says what it did not see", () => {
	it("notes in every format that a Namespace is not among the files", async () => {
		const { code, report } = await lintJson(file);
		assert.equal(code, 0);
		assert.deepEqual(
			report.notes.map(({ line, message }) => [line, message]),
			[
				[
					1,
					"Judged by the defaults, without the policy of namespace shop: its Namespace is not among the files (--context DIR reads it)",
				],
			],
		);
		for (const output of ["text", "github", "junit", "sarif", "gitlab"]) {
			const { out } = await runVerb("lint", "--output", output, file);
			assert.match(out, /without the policy of namespace shop/, output);
		}
	});

	it("notes at most twenty namespaces, and how many more there are", async () => {
		const many = Array.from({ length: 30 }, (_, index) =>
			entry.replace("namespace: shop", `namespace: n${index}`),
		);
		const { report } = await lintJson(folder.write("many.yaml", many.join("---\n")));
		assert.equal(report.notes.length, 21);
		assert.match(report.notes[20]?.message ?? "", /without the policies of 10 more namespaces/);
	});

	it("--context DIR brings policy and waypoint, and is not judged", async () => {
		const { code, report } = await lintJson("--context", platform, file);
		assert.equal(code, 1);
		assert.deepEqual(
			report.findings.map(({ rule }) => rule),
			["serviceentry-policy-host"],
		);
		assert.deepEqual(report.notes, []);
		assert.equal(report.summary.documents, 1);
		const both = await lintJson("--context", folder.path, platform, file);
		assert.equal(both.report.summary.documents, 3);
	});

	it("--context DIR does not fail for what cannot be read there, and says so", async () => {
		folder.write("broken/a.yaml", "kind: [\n");
		const { code, report } = await lintJson(
			"--context",
			platform,
			"--context",
			join(folder.path, "broken"),
			file,
		);
		assert.equal(code, 1);
		assert.match(report.notes[0]?.message ?? "", /^is not in the context: /);
	});

	it("only warns of a waypoint that is not among the files", async () => {
		const other = folder.write("other/waypoint.yaml", waypoint("another"));
		const { code, report } = await lintJson(file, other);
		assert.equal(code, 0);
		const found = report.findings.find(({ rule }) => rule === "serviceentry-waypoint-existence");
		assert.equal(found?.severity, "warning");
		assert.match(found?.message ?? "", /is not among the files/);
		assert.doesNotMatch(JSON.stringify(report), /does not exist/);
	});

	it("ends with 65 where nothing is judged, and with 0 where --allow-empty says so", async () => {
		const deployment = folder.write(
			"deployment.yaml",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n",
		);
		mkdirSync(join(folder.path, "empty"));
		for (const path of [deployment, join(folder.path, "empty")]) {
			const { code, report } = await lintJson(path);
			assert.equal(code, 65);
			assert.match(
				report.unreadable[0]?.message ?? "",
				/^Nothing was judged: (?:there is no object in the input|the only object is of no kind that a rule judges) /,
			);
			assert.equal((await lintJson("--allow-empty", path)).code, 0);
		}
	});
});

describe("waymark lint on text that is no manifest yet", () => {
	const dialects: readonly (readonly [string, string])[] = [
		["{{- if .Values.enabled }}\nkind: A\n{{- end }}\n", "a Helm template"],
		["kind: A\nmetadata:\n  name: {{ .Release.Name }}-x\n", "a Helm template"],
		['kind: A\nmetadata:\n  name: {{ include "x.name" . }}\n', "a Helm template"],
		["kind: A\nspec:\n  hosts:\n  - {{ .Values.host }}\n", "a Helm template"],
		["kind: A\nmetadata:\n  labels:\n    {{- toYaml .Values.labels | nindent 4 }}\n", "a Helm template"],
		["kind: A\n{% if x %}\nname: b\n{% endif %}\n", "a Jinja template"],
		['#@ load("@ytt:data", "data")\nkind: A\nname: #@ data.values.name\n', "a ytt template"],
	];
	for (const [text, name] of dialects) {
		it(`skips ${JSON.stringify(text.slice(0, 50))} with a sentence`, () => {
			const { manifests, unreadable, notes } = parseManifests(text, "a.yaml");
			assert.deepEqual([manifests, unreadable], [[], []]);
			assert.match(notes[0]?.message ?? "", new RegExp(`^is skipped: it is ${name} and no manifest yet`));
		});
	}

	const manifests: readonly string[] = [
		'kind: A\nspec:\n  text: "{{ $labels.instance }}"\n',
		"kind: A\nspec:\n  text: '{{ inputs.parameters.x }}'\n",
		"kind: A\nspec:\n  text: |\n    {{ .Values.x }} is what Helm writes\n",
		"kind: A\nspec:\n  text: >-\n    say {{ $value }} now\n",
		"# {{ .Values.x }}\nkind: A\n",
		"kind: A\nspec: {a: {b: {c: 1}}}\n",
		'{"kind":"A","spec":{"a":{"b":{}}}}',
		"kind: A #@ not ytt\n".replace("#@ ", "# @"),
		"kind: A\nspec:\n  text: 100%{x}\n",
	];
	for (const text of manifests) {
		it(`reads ${JSON.stringify(text)}`, () => {
			assert.equal(parseManifests(text, "a.yaml").manifests.length, 1);
		});
	}
});

describe("waymark lint in a repository", () => {
	const repository = join(folder.path, "repository");
	folder.write("repository/apps/shop/entry.yaml", entry.replace(/^ {2}labels.*\n/m, ""));
	folder.write("repository/apps/shop/namespace.yaml", namespace);
	folder.write("repository/apps/vendor/bad.yaml", "kind: [\n");
	execFileSync("git", ["init", "--quiet", repository]);
	const run = (cwd: string, ...args: readonly string[]): Promise<Outcome> =>
		runScript("src/main.ts", ["lint", ...args], { cwd }).then(({ code, ...rest }) => ({
			code: code ?? -1,
			...rest,
		}));
	const apps = join(repository, "apps");

	it("names files from its root for code hosts, wherever it runs", async () => {
		const github = await run(apps, "--output", "github", "shop");
		assert.match(github.out, /^::error file=apps\/shop\/entry\.yaml,line=\d+/m);
		const sarif = await run(apps, "--output", "sarif", join(apps, "shop"));
		assert.match(sarif.out, /"uri": "apps\/shop\/entry\.yaml"/);
		const gitlab = await run(apps, "--output", "gitlab", "shop");
		const issues = JSON.parse(gitlab.out) as readonly {
			readonly check_name: string;
			readonly fingerprint: string;
			readonly severity: string;
			readonly location: { readonly path: string; readonly lines: { readonly begin: number } };
		}[];
		const issue = issues.find(({ check_name }) => check_name === "serviceentry-policy-host");
		assert.equal(issue?.severity, "major");
		assert.equal(issue?.location.path, "apps/shop/entry.yaml");
		assert.ok((issue?.location.lines.begin ?? 0) > 1);
		assert.equal(new Set(issues.map(({ fingerprint }) => fingerprint)).size, issues.length);
	});

	it("leaves out what --exclude and .waymarkignore name", async () => {
		assert.equal((await run(apps, ".")).code, 65);
		assert.equal((await run(apps, "--exclude", "vendor/", ".")).code, 1);
		assert.equal((await run(apps, "--exclude", "*.yaml", "--exclude", "!namespace.yaml", "shop")).code, 0);
		folder.write("repository/apps/.waymarkignore", "# not ours\nvendor/**\n");
		assert.equal((await run(apps, ".")).code, 1);
		assert.equal((await run(apps, "vendor/bad.yaml", "shop/namespace.yaml")).code, 0);
	});
});
