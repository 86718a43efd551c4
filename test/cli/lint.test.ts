import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { LintReport } from "../../src/lint/report.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
const root = join(import.meta.dirname, "../..");

const namespace = `apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels:
    istio.io/dataplane-mode: ambient
  annotations:
    egress.waymark.dev/waypoint: istio-egress/egress
`;
const waypoint = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: egress, namespace: istio-egress}
spec:
  gatewayClassName: istio-waypoint
  listeners:
  - {name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}
`;
const entry = `# The payment provider.
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: payments   # keep
  namespace: shop
spec:
  hosts: ["api.payments.example"]
  ports:
  - {number: 443, name: tls, protocol: TLS}
  resolution: DNS
`;
const gateway = `apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata:
  name: payments
  namespace: shop
spec:
  selector:
    istio: egressgateway
  servers: []
`;
const clean = folder.write("clean/all.yaml", [namespace, waypoint].join("---\n"));
const bundle = folder.write("bundle.yaml", [namespace, waypoint, gateway, entry].join("---\n"));

const schema = readFileSync(join(root, "docs/schemas/lint.schema.json"), "utf8");
const isReport = new Ajv2020({ strict: false, formats: { uri: true, date: true } }).compile(
	JSON.parse(schema),
);

async function lintJson(
	...argv: readonly string[]
): Promise<{ readonly code: number; readonly report: LintReport }> {
	const { code, out } = await runVerb("lint", "--output", "json", ...argv);
	const report = JSON.parse(out) as LintReport;
	assert.ok(isReport(report), JSON.stringify(isReport.errors));
	return { code, report };
}

describe("waymark lint", () => {
	it("ends with 0 for clean manifests", async () => {
		const { code, report } = await lintJson(clean);
		assert.equal(code, 0);
		assert.deepEqual(report.findings, []);
		assert.equal(report.summary.documents, 2);
	});

	it("ends with 1 for errors, and names rule, field, line and column", async () => {
		const { code, report } = await lintJson(bundle);
		assert.equal(code, 1);
		const found = report.findings.find((each) => each.rule === "istiogateway-egress-selector");
		assert.equal(found?.path, "spec.selector.istio");
		assert.equal(found?.family, "sidecar-egress");
		const lines = readFileSync(bundle, "utf8").split("\n");
		assert.equal(lines[(found?.line ?? 0) - 1], "    istio: egressgateway");
		assert.equal(found?.column, 5);
		assert.deepEqual(found?.object, {
			apiVersion: "networking.istio.io/v1beta1",
			kind: "Gateway",
			namespace: "shop",
			name: "payments",
		});
	});

	it("takes the policy from the Namespaces of the input", async () => {
		const lonely = folder.write("gateway.yaml", gateway);
		const { code, report } = await lintJson(lonely);
		assert.equal(code, 0);
		assert.deepEqual(
			report.findings.map((each) => each.severity),
			["info"],
		);
	});

	it("--assume ambient=enforced tells what a flip would refuse, ambient=permitted what it would let pass", async () => {
		const lonely = folder.write("gateway.yaml", gateway);
		const enforced = await lintJson("--assume", "ambient=enforced", lonely);
		assert.equal(enforced.report.summary.errors, 1);
		assert.equal(enforced.code, 1);
		const permitted = await lintJson("--assume", "ambient=permitted", bundle);
		assert.equal(permitted.report.findings.find((each) => each.object.kind === "Gateway")?.severity, "info");
	});

	it("--strict ends with 1 for warnings", async () => {
		const dangling = folder.write(
			"dangling.yaml",
			"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v, namespace: shop}\nspec: {hosts: [shop.example], gateways: [pyments]}\n---\n" +
				gateway,
		);
		assert.equal((await lintJson(dangling)).code, 0);
		const { code, report } = await lintJson("--strict", dangling);
		assert.equal(code, 1);
		assert.equal(report.findings[0]?.hint, 'Did you mean "payments"');
	});

	it("reads directories, JSON, Lists and empty documents", async () => {
		const items = [
			JSON.parse(JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "a" } })),
		];
		const list = { apiVersion: "v1", kind: "List", items };
		folder.write("mixed/deep/list.json", JSON.stringify(list, undefined, 2));
		folder.write("mixed/empty.yml", "---\n# nothing\n---\n");
		folder.write("mixed/notes.txt", "not: yaml: at: all");
		const { code, report } = await lintJson(join(folder.path, "mixed"));
		assert.equal(code, 0);
		assert.equal(report.summary.documents, 1);
	});

	it("ends with 65 for unreadable input, and still judges the rest", async () => {
		const broken = folder.write("broken.yaml", `${gateway}---\nkind: [unclosed\n---\njust text\n`);
		const { code, report } = await lintJson("--assume", "ambient=enforced", broken, "/no/such/file.yaml");
		assert.equal(code, 65);
		assert.equal(report.summary.errors, 1);
		assert.deepEqual(
			report.unreadable.map(({ file }) => file),
			["/no/such/file.yaml", broken, broken],
		);
		assert.equal(report.unreadable[2]?.line, 13);
	});

	it("judges an object with fields of wrong types as it was meant, and says what the API server refuses", async () => {
		const quoted = folder.write(
			"quoted.yaml",
			`apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: out, namespace: shop}
spec:
  selector: {istio: egressgateway}
  servers:
  - port: {number: "443", name: tls, protocol: TLS}
    hosts: api.payments.example
`,
		);
		const { code, report } = await lintJson("--assume", "ambient=enforced", quoted);
		assert.equal(code, 65);
		assert.deepEqual(
			report.findings.map(({ rule }) => rule),
			["istiogateway-egress-selector"],
		);
		assert.deepEqual(
			report.unreadable.map(({ line, message }) => [line, message]),
			[
				[
					7,
					'spec.servers[0].port.number: a number belongs here, not "443"; the API server refuses this Gateway',
				],
				[
					8,
					'spec.servers[0].hosts: a list belongs here, not "api.payments.example"; the API server refuses this Gateway',
				],
			],
		);
	});

	it("judges an object with a duplicate key by the last, and calls it unreadable too", async () => {
		const twice = folder.write(
			"twice.yaml",
			gateway.replace("kind:", "apiVersion: networking.istio.io/v1\nkind:"),
		);
		const { code, report } = await lintJson("--assume", "ambient=enforced", twice);
		assert.equal(code, 65);
		assert.equal(report.findings.length, 1);
		assert.equal(report.unreadable.length, 1);
	});

	it("names the rules that it skips for want of objects", async () => {
		const alone = folder.write("alone.yaml", `${namespace}---\n${entry}`);
		const { report } = await lintJson(alone);
		assert.deepEqual(
			report.skipped.find((each) => each.rule === "serviceentry-waypoint-existence"),
			{ rule: "serviceentry-waypoint-existence", needs: ["KubernetesGateway"] },
		);
		const { report: complete } = await lintJson(bundle);
		assert.deepEqual(complete.skipped, []);
	});

	it("ends with 64 for arguments that make no sense", async () => {
		for (const argv of [
			[],
			["--output", "yaml", bundle],
			["--assume", "ambient=maybe", bundle],
			["--fix", "-"],
		]) {
			const { code, error } = await runVerb("lint", ...argv);
			assert.equal(code, 64, argv.join(" "));
			assert.match(error, /Usage: waymark lint/);
			// The reason stays on the screen: what each flag means is for --help.
			assert.ok(error.split("\n").length < 15 && error.endsWith("--help says what each flag means\n"), error);
		}
	});

	it("--config takes the cluster configuration", async () => {
		const config = folder.write("config.yaml", "severities: {istiogateway-egress-selector: 'off'}\n");
		const { report } = await lintJson("--config", config, bundle);
		assert.ok(!report.findings.some((each) => each.rule === "istiogateway-egress-selector"));
	});

	it("reads the standard input", () => {
		const child = spawnSync(
			process.execPath,
			["src/main.ts", "lint", "-", "--assume", "ambient=enforced", "--output", "json"],
			{ cwd: root, input: gateway, encoding: "utf8" },
		);
		assert.equal(child.status, 1, child.stderr);
		const report = JSON.parse(child.stdout) as LintReport;
		assert.equal(report.findings[0]?.file, "<stdin>");
	});
});

describe("waymark lint: a comment waymark:ignore", () => {
	const ignoring = (comment: string): string => gateway.replace("metadata:", `${comment}\nmetadata:`);

	it("silences a rule for its document, and is reported and counted", async () => {
		const comment = "# waymark:ignore istiogateway-egress-selector moves in May";
		const file = folder.write("ignored.yaml", `${ignoring(comment)}---\n${gateway}`);
		const { code, report } = await lintJson("--assume", "ambient=enforced", file);
		assert.equal(code, 1);
		assert.equal(report.findings.length, 1, "the other document is still judged");
		assert.equal(report.summary.ignored, 1);
		assert.equal(report.ignored[0]?.reason, "moves in May");
	});

	it("silences nothing without a reason, or for another rule", async () => {
		for (const comment of [
			"# waymark:ignore istiogateway-egress-selector",
			"# waymark:ignore serviceentry-policy-host moves in May",
		]) {
			const file = folder.write("ignored.yaml", ignoring(comment));
			assert.equal((await lintJson("--assume", "ambient=enforced", file)).code, 1);
		}
	});

	it("counts where it stands before the document's first field and behind a value", async () => {
		for (const text of [
			`# waymark:ignore istiogateway-egress-selector before\n${gateway}`,
			gateway.replace("egressgateway", "egressgateway # waymark:ignore istiogateway-egress-selector behind"),
		]) {
			const file = folder.write("ignored.yaml", text);
			assert.equal((await lintJson("--assume", "ambient=enforced", file)).report.summary.ignored, 1);
		}
	});
});

describe("waymark lint: a comment waymark:ignore with until=DATE, and one that silences nothing", () => {
	const ignoring = (comment: string): string => gateway.replace("metadata:", `${comment}\nmetadata:`);
	const noted = async (comment: string): Promise<readonly string[]> => {
		const file = folder.write("until.yaml", `${entry}---\n${ignoring(comment)}`);
		const { report } = await lintJson("--assume", "ambient=enforced", file);
		return report.notes
			.filter(({ message }) => message.includes("waymark:ignore"))
			.map(({ line, message }) => `${line} ${message}`);
	};

	it("holds until its day and on it, and says the day", async () => {
		const comment = "# waymark:ignore istiogateway-egress-selector moves until=2199-12-31 in May";
		const file = folder.write("until.yaml", ignoring(comment));
		const { report } = await lintJson("--assume", "ambient=enforced", file);
		assert.equal(report.summary.ignored, 1);
		assert.equal(report.ignored[0]?.reason, "moves in May");
		assert.equal(report.ignored[0]?.until, "2199-12-31");
		assert.deepEqual(await noted(comment), []);
	});

	it("is said at its line when it has ended, is malformed, or silences nothing", async () => {
		const cases = {
			"istiogateway-egress-selector moves until=2020-01-31":
				"ran out on 2020-01-31: istiogateway-egress-selector counts again",
			"istiogateway-egress-selector moves until=2026-02-30":
				'ends on "2026-02-30", which is no day: write until=YYYY-MM-DD',
			"istiogateway-egress-selector": "gives no reason for ignoring istiogateway-egress-selector",
			"istiogateway-selector moves":
				'names "istiogateway-selector", which is no rule: waymark rules lists the ids',
			"": "names no rule",
			"object-size it is large": "silences nothing: object-size finds nothing here",
		};
		for (const [comment, said] of Object.entries(cases)) {
			// The entry has 11 lines, then come "---", apiVersion, kind and the comment.
			assert.deepEqual(await noted(`# waymark:ignore ${comment}`), [`15 waymark:ignore ${said}`], comment);
		}
	});
});

describe("waymark lint --baseline", () => {
	const gatewayOf = (name: string, selector = "egressgateway"): string =>
		gateway.replace("payments", name).replace("egressgateway", selector);
	const assume = ["--assume", "ambient=enforced"] as const;

	it("counts what the file knows as none, whatever moves, and a new finding as one", async () => {
		const file = folder.write("brown/all.yaml", [gatewayOf("one"), gatewayOf("two")].join("---\n"));
		const known = join(folder.path, "brown/known.json");
		const written = await runVerb("lint", ...assume, file, "--baseline", known, "--write-baseline");
		assert.equal(written.code, 0, written.out);
		assert.match(written.error, /known\.json: 2 known findings, 0 taken out/);
		folder.write("brown/all.yaml", `# moved\n${[gatewayOf("two"), gatewayOf("one")].join("---\n")}`);
		const moved = await lintJson(...assume, file, "--baseline", known);
		assert.equal(moved.code, 0);
		assert.equal(moved.report.summary.known, 2);
		assert.equal(moved.report.known?.length, 2);
		assert.deepEqual(moved.report.findings, []);
		folder.write("brown/all.yaml", ["one", "two", "three"].map((name) => gatewayOf(name)).join("---\n"));
		const fresh = await lintJson(...assume, file, "--baseline", known);
		assert.equal(fresh.code, 1);
		assert.deepEqual(
			fresh.report.findings.map(({ object }) => object.name),
			["three"],
		);
	});

	it("shrinks only: --write-baseline takes out what is fixed and adds nothing, and what is stale is said", async () => {
		const file = folder.write("shrink/all.yaml", [gatewayOf("one"), gatewayOf("two")].join("---\n"));
		const known = join(folder.path, "shrink/known.json");
		await runVerb("lint", ...assume, file, "--baseline", known, "--write-baseline");
		folder.write("shrink/all.yaml", [gatewayOf("one", "ingressgateway"), gatewayOf("new")].join("---\n"));
		const { report } = await lintJson(...assume, file, "--baseline", known);
		const notes = report.notes.filter((each) => each.file === known);
		assert.match(
			notes[0]?.message ?? "",
			/^Stale: istiogateway-egress-selector is not found at .* of Gateway shop\/one/,
		);
		assert.match(readFileSync(known, "utf8").split("\n")[(notes[0]?.line ?? 0) - 1] ?? "", /shop\/one/);
		assert.match(notes[1]?.message ?? "", /not among what was judged: the objects of 1 known finding$/);
		const written = await runVerb("lint", ...assume, file, "--baseline", known, "--write-baseline");
		assert.equal(written.code, 1, "a new finding is still one");
		assert.match(written.error, /0 known findings, 2 taken out; 1 that it did not know were not added/);
		assert.deepEqual(JSON.parse(readFileSync(known, "utf8")), { version: 1, findings: [] });
	});

	it("does not cover what weighs more than it did", async () => {
		const file = folder.write("weight.yaml", gatewayOf("one"));
		const known = join(folder.path, "weight.json");
		const config = folder.write("lenient.yaml", "severities: {istiogateway-egress-selector: warning}\n");
		await runVerb("lint", ...assume, "--config", config, file, "--baseline", known, "--write-baseline");
		assert.equal(
			(await lintJson(...assume, "--config", config, file, "--baseline", known)).report.summary.known,
			1,
		);
		assert.equal((await lintJson(...assume, file, "--baseline", known)).code, 1);
	});

	it("is refused when it is not there or is no baseline, and never written by half an input", async () => {
		const file = folder.write("refused.yaml", `${gatewayOf("one")}---\nkind: [x\n`);
		const known = join(folder.path, "refused.json");
		const absent = await runVerb("lint", file, "--baseline", known);
		assert.equal(absent.code, 65);
		assert.match(absent.error, /does not exist; --write-baseline/);
		const half = await runVerb("lint", ...assume, file, "--baseline", known, "--write-baseline");
		assert.equal(half.code, 65);
		assert.match(half.error, /was not written/);
		assert.equal((await runVerb("lint", file, "--baseline", known)).code, 65);
		for (const text of ["{", "[]", '{"version":1,"findings":[{"fingerprint":"x"}]}']) {
			const bad = await runVerb("lint", file, "--baseline", folder.write("bad.json", text));
			assert.equal(bad.code, 65, text);
			assert.match(bad.error, /^waymark: Cannot use the baseline /);
		}
		assert.equal((await runVerb("lint", file, "--write-baseline")).code, 64);
	});
});

describe("waymark lint --fix", () => {
	it("fixes what can be fixed and keeps comments, order and style", async () => {
		const file = folder.write("fix.yaml", [namespace, waypoint, entry].join("---\n"));
		const before = await lintJson(file);
		assert.ok(before.report.findings.some((each) => each.fixable));
		const { code, report } = await lintJson("--fix", file);
		assert.equal(code, 0, JSON.stringify(report.findings));
		const added =
			"  labels:\n    istio.io/use-waypoint: egress\n    istio.io/use-waypoint-namespace: istio-egress\n";
		const fixed = entry.replace("  namespace: shop\n", `  namespace: shop\n${added}`);
		assert.equal(readFileSync(file, "utf8"), [namespace, waypoint, fixed].join("---\n"));
	});

	it("fixes JSON as JSON", async () => {
		const object = {
			apiVersion: "networking.istio.io/v1",
			kind: "ServiceEntry",
			metadata: { name: "a", namespace: "shop" },
			spec: {
				hosts: ["api.payments.example"],
				ports: [{ number: 443, name: "tls", protocol: "TLS" }],
				resolution: "DNS",
			},
		};
		const file = folder.write("json/fix.json", JSON.stringify(object, undefined, 2));
		folder.write("json/world.yaml", [namespace, waypoint].join("---\n"));
		assert.equal((await runVerb("lint", "--fix", join(folder.path, "json"))).code, 0);
		const fixed = JSON.parse(readFileSync(file, "utf8")) as typeof object;
		assert.deepEqual(fixed, {
			...object,
			metadata: {
				...object.metadata,
				labels: { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" },
			},
		});
	});

	it("leaves files without fixable findings untouched", async () => {
		const text = `${gateway}\n\n# the end`;
		const file = folder.write("untouched.yaml", text);
		await runVerb("lint", "--fix", file);
		assert.equal(readFileSync(file, "utf8"), text);
	});
});
