import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { LintReport } from "../../src/lint/report.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();

const entry = `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: elsewhere, namespace: shop}
spec:
  hosts: [elsewhere.example.org]
  ports: [{number: 443, name: tls, protocol: TLS}]
  location: MESH_EXTERNAL
  resolution: DNS
`;

function namespace(annotations: string): string {
	return `apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {istio.io/dataplane-mode: ambient}
  annotations:
    egress.waymark.dev/allowed-hosts: "*.shop.example"
${annotations}`;
}

async function lintJson(
	...argv: readonly string[]
): Promise<{ readonly code: number; readonly report: LintReport }> {
	const { code, out } = await runVerb("lint", "--output", "json", ...argv);
	return { code, report: JSON.parse(out) as LintReport };
}

describe("waymark lint judges what the cluster gets", () => {
	it("keeps a Namespace with a null among its annotations, and its policy", async () => {
		const file = folder.write("null.yaml", namespace("    team.example.org/contact:\n") + entry);
		const { code, report } = await lintJson(file);
		assert.equal(code, 1);
		assert.ok(report.findings.some(({ rule }) => rule === "serviceentry-policy-host"));
	});

	it("says that mode: off without quotes is a boolean, which the API server refuses", async () => {
		const file = folder.write("off.yaml", namespace("    egress.waymark.dev/mode: off\n") + entry);
		const { code, report } = await lintJson(file);
		assert.equal(code, 65);
		const [first] = report.unreadable;
		assert.equal(first?.line, 8);
		assert.match(
			first?.message ?? "",
			/a text belongs here, not false, which is what "off" without quotes means; the API server refuses this Namespace/,
		);
		assert.ok(report.findings.some(({ rule }) => rule === "serviceentry-policy-host"));
	});

	it("judges 0443 as the port 291, and notes it in every format", async () => {
		const limited = namespace('    egress.waymark.dev/allowed-ports: "443"\n');
		const file = folder.write(
			"octal.yaml",
			limited + entry.replace("443", "0443").replace("elsewhere.example.org", "a.shop.example"),
		);
		const { code, report } = await lintJson(file);
		assert.equal(code, 1);
		assert.ok(report.findings.some(({ message }) => message.includes("291")));
		assert.equal(report.notes.length, 1);
		for (const output of ["text", "github", "junit", "sarif"]) {
			const { out } = await runVerb("lint", "--output", output, file);
			assert.match(out, /without quotes is 291 to kubectl/, output);
		}
	});

	it("names an object of the wrong shape even where nothing is enforced", async () => {
		const file = folder.write(
			"shape.yaml",
			namespace('    egress.waymark.dev/mode: "off"\n') + entry.replace("[elsewhere.example.org]", "7"),
		);
		const { code, report } = await lintJson(file);
		assert.equal(code, 65);
		assert.match(report.unreadable[0]?.message ?? "", /^spec\.hosts: a list belongs here, not 7/);
	});

	it("names what cannot be read below a folder", async () => {
		const closed = join(folder.path, "tree/closed");
		folder.write("tree/a.yaml", namespace(""));
		mkdirSync(closed);
		writeFileSync(join(closed, "b.yaml"), entry);
		chmodSync(closed, 0);
		const user = process.geteuid?.();
		if (user === 0) {
			// No folder is closed to root.
			chmodSync(folder.path, 0o755);
			process.seteuid?.(65_534);
		}
		try {
			const { code, report } = await lintJson(join(folder.path, "tree"));
			assert.equal(code, 65);
			assert.deepEqual(
				report.unreadable.map(({ file, message }) => [file, message]),
				[[closed, "cannot be read: permission denied"]],
			);
		} finally {
			if (user === 0) {
				process.seteuid?.(0);
			}
			chmodSync(closed, 0o755);
		}
	});

	it("writes a file's name on one line, whatever is in it", async () => {
		const forged = "a.yaml\n::error file=b.yaml::forged\u001b[2J.yaml";
		const file = folder.write(`names/${forged.replaceAll("/", "_")}`, `kind: [\n${entry}`);
		for (const output of ["text", "github", "junit"]) {
			const { out } = await runVerb("lint", "--output", output, file);
			assert.ok(!/^::error file=b\.yaml/m.test(out), output);
			assert.ok(!out.includes("\u001b"), output);
		}
	});

	it("says in one line what is wrong with an alias that contains itself", async () => {
		const file = folder.write("cycle.yaml", "apiVersion: v1\nkind: Service\nspec: &s {self: *s}\n");
		const { code, report } = await lintJson(file);
		assert.equal(code, 65);
		assert.deepEqual(
			report.unreadable.map(({ line, message }) => [line, message]),
			[[3, "&s contains itself"]],
		);
	});
});
