import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { anchorOf } from "../../scripts/site/markdown.ts";

const root = join(import.meta.dirname, "../..");
const pages = globSync(["*.md", "docs/*.md", "docs/walks/*.md", "charts/**/*.md", "certs/*.md"], {
	cwd: root,
});
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** The anchors of a page, as code hosts and the site make them from its headings. */
function anchorsOf(page: string): ReadonlySet<string> {
	return new Set([...read(page).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => anchorOf(title)));
}

describe("the documentation", () => {
	for (const page of pages) {
		it(`${page} links to what exists`, () => {
			const broken: string[] = [];
			for (const [, target = ""] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
				const [path = "", anchor] = target.split("#");
				if (/^[a-z]+:/.test(target)) {
					continue;
				}
				const file = path === "" ? page : join(dirname(page), path);
				if (!existsSync(join(root, file))) {
					broken.push(target);
				} else if (anchor !== undefined && file.endsWith(".md") && !anchorsOf(file).has(anchor)) {
					broken.push(target);
				}
			}
			assert.deepEqual(broken, []);
		});
	}

	it("docs/README.md, the contents, names every page of docs/, and README.md names the contents", () => {
		const contents = read("docs/README.md");
		const pages = globSync("docs/*.md", { cwd: root }).map((page) => page.replaceAll("\\", "/"));
		const missing = pages.filter(
			(page) => page !== "docs/README.md" && !contents.includes(`](${page.slice("docs/".length)})`),
		);
		assert.deepEqual(missing, [], "name them in docs/README.md");
		assert.ok(read("README.md").includes("](docs/README.md)"));
	});

	it("SECURITY.md names for every sentence of its lists a test that exists", () => {
		const text = read("SECURITY.md");
		const bullets = text.split(/^- /m).slice(1);
		assert.ok(bullets.length > 10);
		for (const bullet of bullets) {
			const tests = [...bullet.matchAll(/`(test\/[^`]+)`/g)].map(([, path = ""]) => path);
			assert.ok(tests.length > 0, bullet);
			for (const path of tests) {
				assert.ok(existsSync(join(root, path)), path);
			}
		}
	});

	for (const page of ["docs/robustness.md", "docs/threat-model.md", "docs/controls.md"]) {
		it(`${page} names tests that exist, under the names that they have`, () => {
			const rows = read(page)
				.split("\n")
				.filter((line) => /^\| [^|-]/.test(line));
			assert.ok(rows.length > 15);
			const wrong: string[] = [];
			for (const row of rows) {
				let file = "";
				for (const [, path, name = ""] of row.matchAll(/`(test\/[^`]+\.ts)`|"([^"]+)"/g)) {
					if (path !== undefined) {
						file = path;
					}
					if (!existsSync(join(root, file)) || (file !== "" && !read(file).includes(name))) {
						wrong.push(`${file}: ${name}`);
					}
				}
			}
			assert.deepEqual(wrong, []);
		});
	}

	it("docs/robustness.md names a test for every promise, or says that there is none", () => {
		const rows = read("docs/robustness.md")
			.split("\n")
			.filter((line) => /^\| [^|-]/.test(line) && !/ held by \|$/.test(line));
		const bare = rows.filter(
			(row) => !/`test\/[^`]+\.test\.ts`: "|No test of the gate|\| above \|$/.test(row),
		);
		assert.deepEqual(bare, []);
	});

	it("docs/comparison.md is dated, and says of every other tool where that is written", () => {
		const text = read("docs/comparison.md");
		assert.match(text, /^For one purpose: .*As of \d+ \w+ 2026\./m);
		const rows = text
			.slice(text.indexOf("## What knows Istio's egress"), text.indexOf("## What nobody else"))
			.split("\n")
			.filter((line) => /^\| [^|-]/.test(line));
		assert.ok(rows.length >= 8);
		assert.deepEqual(
			rows.filter((row) => !/\]\(https:\/\//.test(row)),
			[],
		);
		for (const name of [
			"Kyverno",
			"Gatekeeper",
			"Kubewarden",
			"Kiali",
			"UDS Core",
			"Solo",
			"ASM",
			"GKE",
			"Calico",
		]) {
			assert.ok(text.includes(name), name);
		}
	});

	for (const [page, count] of [
		["docs/threat-model.md", 18],
		["docs/good-practices.md", 41],
	] as const) {
		it(`${page} answers all ${count}, each with a test that exists or an acceptance`, () => {
			const rows = read(page)
				.split("\n")
				.filter((line) => /^\| \d+ \|/.test(line))
				.map((line) => line.split("|").map((cell) => cell.trim()));
			assert.deepEqual(
				rows.map(([, number]) => Number(number)),
				Array.from({ length: count }, (_, index) => index + 1),
			);
			for (const row of rows) {
				const held = row.at(-2) ?? "";
				const tests = [...held.matchAll(/`(test\/[^`]+)`/g)].map(([, path = ""]) => path);
				assert.ok(tests.length > 0 || held.includes("accepted"), row.join("|"));
				for (const path of tests) {
					assert.ok(existsSync(join(root, path)), path);
				}
			}
		});
	}
});
