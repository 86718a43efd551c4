import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
import { findControlPlane } from "./binaries.ts";

const root = join(import.meta.dirname, "../..");
const home = mkdtempSync(join(tmpdir(), "waymark-release-"));
const out = join(home, "release");
const { helm } = await findControlPlane();

function run(program: string, ...args: readonly string[]): string {
	return execFileSync(program, args, { cwd: home, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

describe("scripts/release.ts", { timeout: 240_000 }, () => {
	const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
		readonly version: string;
	};
	const archive = `waymark-${version}.tar.gz`;

	before(() => {
		const url = "https://example.com/waymark/";
		run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem");
		run(
			process.execPath,
			join(root, "scripts/release.ts"),
			`--base-url=${url}`,
			"--home=https://waymark.example.org/",
			"--sign=key.pem",
			`--out=${out}`,
			`--helm=${helm}`,
		);
	});
	after(() => rmSync(home, { recursive: true }));

	it("npx from the package, the plugin and the chart agree on the version", () => {
		const tarball = join(out, `npm/waymark-${version}.tgz`);
		const flags = ["exec", "--yes", "--prefer-offline", `--package=${tarball}`];
		assert.equal(run("npm", ...flags, "--", "waymark", "--version"), `${version}\n`);
		const plugin = join(home, "plugin");
		mkdirSync(plugin);
		run("tar", "-xzf", join(out, "krew", archive), "-C", plugin);
		const answer = execFileSync(join(plugin, "bin/waymark.js"), ["--version"], {
			encoding: "utf8",
			env: { PATH: `${dirname(process.execPath)}:/usr/bin`, HOME: home },
		});
		assert.equal(answer, `${version}\n`);
		const chart = parse(run(helm, "show", "chart", join(out, `chart/waymark-${version}.tgz`))) as unknown;
		const { version: own, appVersion } = chart as { readonly version: string; readonly appVersion: string };
		assert.deepEqual([own, appVersion], [version, version]);
	});

	it("the plugin's archive lints without anything that was installed", () => {
		const { code, text } = lintBy(join(home, "plugin/bin/waymark.js"));
		assert.equal(code, 0, text);
	});

	it("Krew's manifest names the archive, its digest and what to run", () => {
		const manifest = parse(readFileSync(join(out, "krew/waymark.yaml"), "utf8")) as {
			readonly metadata: { readonly name: string };
			readonly spec: {
				readonly version: string;
				readonly platforms: readonly {
					readonly uri: string;
					readonly sha256: string;
					readonly bin: string;
				}[];
			};
		};
		const sums = readFileSync(join(out, "SHA256SUMS"), "utf8");
		assert.equal(manifest.metadata.name, "waymark");
		assert.equal(manifest.spec.version, `v${version}`);
		const [platform] = manifest.spec.platforms;
		assert.equal(platform?.uri, `https://example.com/waymark/${archive}`);
		assert.ok(sums.includes(`${platform?.sha256}  krew/${archive}\n`));
		assert.ok(readFileSync(join(home, "plugin", platform?.bin ?? "")).length > 0);
	});

	it("the chart names the home that it was given, wherever the page of a chart shows one", () => {
		const text = run(helm, "show", "chart", join(out, `chart/waymark-${version}.tgz`));
		const chart = parse(text) as { readonly home: string; readonly sources: readonly string[] };
		assert.deepEqual([chart.home, ...chart.sources], Array(2).fill("https://waymark.example.org"));
		assert.doesNotMatch(text, /example\.com/);
		assert.match(
			readFileSync(join(root, "charts/waymark/Chart.yaml"), "utf8"),
			/home: https:\/\/example\.com/,
		);
	});

	it("SHA256SUMS.sig is a signature of the digests, which another tool verifies, and of nothing else", () => {
		const signature = join(home, "signature");
		writeFileSync(signature, Buffer.from(readFileSync(join(out, "SHA256SUMS.sig"), "utf8"), "base64"));
		const verify = (file: string): string =>
			run(
				"openssl",
				"dgst",
				"-sha256",
				"-verify",
				join(out, "SHA256SUMS.pub"),
				"-signature",
				signature,
				file,
			);
		assert.equal(verify(join(out, "SHA256SUMS")), "Verified OK\n");
		assert.throws(() => verify(join(out, "waymark.cdx.json")));
	});

	it("SHA256SUMS holds, and the SBOMs name what is installed", () => {
		execFileSync("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: out, stdio: "pipe" });
		const { components } = JSON.parse(readFileSync(join(out, "waymark.cdx.json"), "utf8")) as {
			readonly components: readonly { readonly name: string }[];
		};
		const names = components.map(({ name }) => name);
		for (const name of ["fastify", "yaml", "tldts"]) {
			assert.ok(names.includes(name), name);
		}
		assert.ok(!names.includes("typescript"));
		const spdx = JSON.parse(readFileSync(join(out, "waymark.spdx.json"), "utf8")) as {
			readonly spdxVersion: string;
		};
		assert.match(spdx.spdxVersion, /^SPDX-2/);
	});
});

function lintBy(program: string): { readonly code: number; readonly text: string } {
	try {
		const args = [program, "lint", join(root, "examples")];
		const text = execFileSync(process.execPath, args, {
			encoding: "utf8",
			env: { HOME: home },
			stdio: "pipe",
		});
		return { code: 0, text };
	} catch (error) {
		const { status, stdout } = error as { readonly status: number; readonly stdout: string };
		return { code: status, text: stdout };
	}
}
