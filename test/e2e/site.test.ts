import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
	cpSync,
	existsSync,
	globSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { after, before, describe, it } from "node:test";
import { rules } from "../../src/rules/table.ts";
import { runVerb } from "../support/run-verb.ts";
import { startServe } from "../support/serve-process.ts";

const root = join(import.meta.dirname, "../..");
const home = mkdtempSync(join(tmpdir(), "waymark-site-"));
const site = join(home, "site");
after(() => rmSync(home, { recursive: true, force: true }));

interface BrowserPage {
	goto(url: string): Promise<{ headers(): Record<string, string> } | null>;
	fill(selector: string, text: string): Promise<void>;
	click(selector: string): Promise<void>;
	selectOption(selector: string, value: string): Promise<unknown>;
	waitForSelector(selector: string): Promise<unknown>;
	waitForURL(url: string): Promise<void>;
	textContent(selector: string): Promise<string | null>;
	isVisible(selector: string): Promise<boolean>;
	screenshot(options: { readonly path: string }): Promise<unknown>;
	evaluate<T>(script: string): Promise<T>;
	on(event: "console" | "pageerror" | "request", listener: (event: never) => void): void;
	readonly keyboard: { press(key: string): Promise<void> };
}

interface Browser {
	newPage(options: object): Promise<BrowserPage>;
	close(): Promise<void>;
}

/** Copies what the image's build copies into its stage, so that a file which is missing there is missing here. */
function copyAsImage(): string {
	const stage = join(home, "stage");
	const lines = readFileSync(join(root, "Dockerfile"), "utf8").matchAll(/^COPY (?!--)(.+) (\S+)$/gm);
	for (const [, sources = "", target = ""] of lines) {
		for (const source of sources.split(" ")) {
			const to = target.endsWith("/") ? join(stage, target, source) : join(stage, target);
			mkdirSync(dirname(to), { recursive: true });
			cpSync(join(root, source), to, {
				recursive: true,
				filter: (path) => !path.includes("node_modules"),
			});
		}
	}
	symlinkSync(join(root, "node_modules"), join(stage, "node_modules"));
	if (existsSync(join(root, "tools/site/node_modules"))) {
		symlinkSync(join(root, "tools/site/node_modules"), join(stage, "tools/site/node_modules"));
	}
	return stage;
}

interface Html {
	readonly links: readonly string[];
	readonly ids: ReadonlySet<string>;
}

/** The addresses and the anchors in the tags of a page; text has its `<` escaped, so it has no tags. */
function readHtml(file: string): Html {
	const tags = [...readFileSync(file, "utf8").matchAll(/<[a-z][^>]*>/g)].map(([tag]) => tag);
	const attributes = (name: RegExp): readonly string[] =>
		tags.flatMap((tag) => [...tag.matchAll(name)].map(([, value = ""]) => value.replaceAll("&amp;", "&")));
	return { links: attributes(/ (?:href|src)="([^"]*)"/g), ids: new Set(attributes(/ id="([^"]*)"/g)) };
}

describe("npm run site", () => {
	before(() => {
		const built = spawnSync(process.execPath, ["scripts/site.ts", "--out", site], {
			cwd: copyAsImage(),
			encoding: "utf8",
			env: { ...process.env, INIT_CWD: home },
		});
		assert.equal(built.status, 0, built.stderr);
		console.log(built.stdout.trim());
	});

	it("replaces an earlier site and nothing else", () => {
		const kept = join(home, "kept");
		mkdirSync(kept);
		writeFileSync(join(kept, "thesis.txt"), "all of it");
		const { status, stderr } = spawnSync(process.execPath, ["scripts/site.ts", "--out", kept], {
			cwd: root,
			encoding: "utf8",
			env: { ...process.env, INIT_CWD: home },
		});
		assert.equal(status, 64);
		assert.match(stderr, /^Cannot write the site to \/.*kept: something else is there; [^\n]*\n$/);
		assert.equal(readFileSync(join(kept, "thesis.txt"), "utf8"), "all of it");
	});

	it("has a page for every Markdown file of the documentation and for every rule", () => {
		const sources = globSync(["docs/*.md", "docs/rules/*.md", "docs/decisions/*.md"], { cwd: root });
		const pages = sources.map((path) =>
			path
				.slice("docs/".length)
				.replace(/README\.md$/, "index.md")
				.replace(/\.md$/, ".html"),
		);
		assert.ok(pages.length > rules.length + 40);
		assert.deepEqual(
			pages.filter((page) => !existsSync(join(site, page))),
			[],
		);
		const index = readFileSync(join(site, "rules/index.html"), "utf8");
		for (const { id, family, severity } of rules) {
			assert.ok(index.includes(`href="${id}.html"`), id);
			assert.ok(index.includes(`id="${family}"`) && index.includes(`id="${severity}"`));
		}
	});

	it("begins with the trap list, whose rules are links", () => {
		const front = readFileSync(join(site, "index.html"), "utf8");
		const traps = [
			...readFileSync(join(root, "docs/capture.md"), "utf8").matchAll(/`(serviceentry-[a-z-]+)`/g),
		];
		assert.ok(traps.length > 40);
		for (const [, id] of traps) {
			assert.ok(front.includes(`<a href="rules/${id}.html"><code>${id}</code></a>`), id);
		}
	});

	it("links to what is there: every page, file and anchor, and nothing that a page loads from elsewhere", () => {
		const files = globSync("**/*.html", { cwd: site }).map((path) => path.replaceAll("\\", "/"));
		const pages = new Map(files.map((file) => [file, readHtml(join(site, file))]));
		const broken: string[] = [];
		let checked = 0;
		for (const [file, { links }] of pages) {
			for (const link of links) {
				if (/^https?:/.test(link)) {
					continue;
				}
				checked++;
				const [path = "", anchor] = decodeURI(link).split("#");
				const target = path === "" ? file : posix.join(posix.dirname(file), path);
				const isBroken = anchor
					? pages.get(target)?.ids.has(anchor) !== true
					: !existsSync(join(site, target)) || target.startsWith("..");
				if (isBroken) {
					broken.push(`${file}: ${link}`);
				}
			}
		}
		assert.ok(checked > 10_000, `${checked} links`);
		assert.deepEqual(broken, []);
		for (const file of files) {
			const text = readFileSync(join(site, file), "utf8");
			assert.doesNotMatch(text, /<(?:script|img|link)[^>]*(?:src|href)="(?:https?:)?\/\//, file);
			assert.doesNotMatch(
				text,
				/<script>|<style|<[a-z][^>]* (?:style|on[a-z]+)="/,
				`${file} needs no exception`,
			);
		}
	});

	it("says of a rule what waymark explain says", async () => {
		const { out } = await runVerb("explain", "serviceentry-host-shadow");
		const page = readFileSync(join(site, "rules/serviceentry-host-shadow.html"), "utf8")
			.replaceAll(/<[^>]+>/g, "")
			.replaceAll("&quot;", '"');
		const words = (text: string): string => text.replaceAll(/\s+/g, " ");
		const rule = rules.find(({ id }) => id === "serviceentry-host-shadow");
		for (const text of [rule?.docs.summary, rule?.docs.why, rule?.docs.fix, ...(rule?.docs.sources ?? [])]) {
			assert.ok(words(page).includes(text ?? "-") && words(out).includes(text ?? "-"), text);
		}
	});

	it("is what serve --docs shows on the operations port, where links of the configuration lead", async (context) => {
		const args = ["--world", join(root, "examples"), "--certificates", "throw-away"];
		const server = await startServe(context, [...args, "--docs", site], { cwd: home });
		const config = join(home, "waymark.yaml");
		writeFileSync(config, `links: ${server.operations}/docs/rules/\n`);
		const { out } = await runVerb("rules", "--output", "json", "--config", config);
		const urls = (JSON.parse(out) as readonly { readonly url: string }[]).map(({ url }) => url);
		assert.equal(urls.length, rules.length);
		for (const url of urls) {
			const answer = await fetch(url);
			assert.equal(answer.status, 200, url);
			assert.ok((await answer.text()).includes(`<h1 id="${url.slice(url.lastIndexOf("/") + 1)}"`), url);
		}
		await inBrowser(`${server.operations}/docs/`, context);
	});

	it("is refused by serve --docs where it is not there", () => {
		const { status, stderr } = spawnSync(
			process.execPath,
			[join(root, "src/main.ts"), "serve", "--world", join(root, "examples"), "--docs", join(home, "none")],
			{ cwd: home, encoding: "utf8" },
		);
		assert.equal(status, 65);
		assert.match(stderr, /Cannot show the documentation in ".*none": ENOENT/);
	});
});

/** Walks through the pages in a real Chromium at the width of a desk and of a phone, where there is one. */
async function inBrowser(docs: string, context: { diagnostic(text: string): void }): Promise<void> {
	const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
	if (!existsSync(executablePath)) {
		context.diagnostic("not looked at in a browser: there is no Chromium (apt-get install chromium)");
		return;
	}
	const { chromium } = createRequire(import.meta.url)("playwright-core") as {
		readonly chromium: { launch(options: object): Promise<Browser> };
	};
	const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
	try {
		for (const [width, height] of [
			[1280, 800],
			[390, 844],
		] as const) {
			await walk(await browser.newPage({ viewport: { width, height } }), docs, width < 768);
		}
	} finally {
		await browser.close();
	}
}

async function walk(page: BrowserPage, docs: string, isPhone: boolean): Promise<void> {
	const faults: string[] = [];
	page.on("console", (message: { text(): string }) => faults.push(message.text()));
	page.on("pageerror", (error: Error) => faults.push(error.message));
	page.on("request", (request: { url(): string }) => {
		if (!request.url().startsWith(docs)) {
			faults.push(`asked for ${request.url()}`);
		}
	});
	const pictures = process.env.SCREENSHOTS;
	const width = isPhone ? "phone" : "desk";
	for (const name of ["", "comparison.html", "metrics.html", "rules/", "rules/serviceentry-host-shadow"]) {
		await page.goto(docs + name);
		const over = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
		assert.ok(over <= 0, `${name} is ${over} pixels wider than a ${width}`);
		if (pictures !== undefined) {
			await page.screenshot({ path: join(pictures, `${width}-${name.replaceAll("/", "_")}.png`) });
		}
	}
	assert.equal(await page.isVisible("#contents"), !isPhone);
	if (isPhone) {
		await page.click("#menu");
		assert.ok(await page.isVisible("#contents [aria-current]"));
		await page.click("#menu");
	}
	const ground = (): Promise<string> => page.evaluate("getComputedStyle(document.body).backgroundColor");
	const before = await ground();
	await page.click("#theme");
	assert.notEqual(await ground(), before);
	await page.click(".example .copy");
	await page.waitForSelector(".copy:text-matches('Copied|Ctrl')");

	await page.goto(`${docs}rules/`);
	await page.selectOption(".filter select:nth-of-type(2)", "warning");
	const warnings = rules.filter(({ severity }) => severity === "warning").length;
	assert.equal(await page.textContent(".filter output"), `${warnings} of ${rules.length}`);

	await page.keyboard.press("/");
	await page.fill("#search input", "hide a host that another entry");
	await page.waitForSelector("#found a[aria-selected=true]");
	await page.keyboard.press("Enter");
	await page.waitForURL(`${docs}rules/serviceentry-host-shadow.html`);
	await page.fill("#search input", "<qqqzzz>");
	await page.waitForSelector("#found p");
	assert.equal(await page.textContent("#found p"), "Nothing has <qqqzzz>");
	assert.deepEqual(faults, []);
}
