import { spawnSync } from "node:child_process";
import {
	copyFileSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { rules } from "../src/rules/table.ts";
import { generatorFolder, isInstalled, loadGenerator } from "./site/generator.ts";
import { createMarkdown } from "./site/markdown.ts";
import type { Page } from "./site/pages.ts";
import { contentsPage, plainFiles, readChapters, readPages, trapList, urlOf, wayTo } from "./site/pages.ts";
import { searchParts } from "./site/search.ts";

// `npm run site [-- --out DIR]`: README, docs/ and the rules' pages as static HTML, which needs no server and no network.

const root = join(import.meta.dirname, "..");
const out = resolve(process.env.INIT_CWD ?? root, readOut());

if (!mayReplace(out)) {
	console.error(
		`Cannot write the site to ${out}: something else is there; --out names an empty folder or an earlier site`,
	);
	process.exit(64);
}

if (!isInstalled(root)) {
	const npm = spawnSync("npm", ["ci", "--prefer-offline"], {
		cwd: join(root, generatorFolder),
		stdio: "inherit",
		shell: true,
	});
	if (npm.status !== 0) {
		console.error("Cannot build the site: its generator could not be installed");
		process.exit(1);
	}
}
const began = performance.now();
const generator = await loadGenerator(root);
const pages = readPages(root);
const markdown = createMarkdown(generator, pages);
const version = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;

rmSync(out, { recursive: true, force: true });
process.chdir(join(root, generatorFolder));
await new generator.Eleventy(".", out, {
	quietMode: true,
	configPath: "",
	config(settings) {
		settings.addPlugin(generator.highlight);
		settings.setLibrary("md", markdown);
		settings.setIncludesDirectory("layouts");
		settings.setTemplateFormats(["md"]);
		settings.addPassthroughCopy({ assets: "assets", [generator.searchLibrary]: "assets/minisearch.js" });
		settings.addFilter("headings", headingsOf);
		settings.addGlobalData("version", version);
		settings.addGlobalData("ruleCount", rules.length);
		for (const page of pages) {
			settings.addTemplate(page.url.replace(/\.html$/, ".md"), shownText(page), dataOf(page));
		}
	},
}).write();
for (const file of plainFiles(root)) {
	const to = join(out, urlOf(file) ?? file);
	mkdirSync(dirname(to), { recursive: true });
	copyFileSync(join(root, file), to);
}
// A script and no JSON: a page that is opened as a file may load scripts beside it, and nothing else.
writeFileSync(
	join(out, "assets/search-parts.js"),
	`globalThis.searchParts = ${JSON.stringify(searchParts(markdown, pages))};\n`,
);
console.log(`${pages.length} pages in ${out} (${((performance.now() - began) / 1000).toFixed(1)} s)`);

/** The folder that is asked for; ends the process where the arguments make no sense. */
function readOut(): string {
	try {
		return parseArgs({ options: { out: { type: "string", default: "site" } } }).values.out;
	} catch (error) {
		console.error(`${(error as Error).message}\n\nUsage: npm run site [-- --out DIR]`);
		process.exit(64);
	}
}

/** Whether nothing is lost with a folder: there is none, it is empty, or an earlier run wrote it. */
function mayReplace(folder: string): boolean {
	const stats = statSync(folder, { throwIfNoEntry: false });
	return (
		stats === undefined ||
		(stats.isDirectory() &&
			(readdirSync(folder).length === 0 || existsSync(join(folder, "assets/search-parts.js"))))
	);
}

/** What the layout is told of a page; every address in it begins at the page. */
function dataOf(page: Page): object {
	const isFront = page.source === contentsPage;
	const contents = pages.find(({ source }) => source === contentsPage);
	const rule = rules.find(({ id }) => page.source === `docs/rules/${id}.md`);
	return {
		layout: "page.njk",
		permalink: page.url,
		title: page.title,
		source: page.source,
		address: page.url,
		root: wayTo(page.url, ".") === "" ? "./" : `${wayTo(page.url, ".")}/`,
		isFront,
		isRuleIndex: page.source === "docs/rules/README.md",
		rule: rule === undefined ? undefined : { family: rule.family, severity: rule.severity },
		siblings:
			rule === undefined ? [] : rules.filter(({ family }) => family === rule.family).map(({ id }) => id),
		chapters: contents === undefined ? [] : readChapters(contents),
		templateEngineOverride: "md",
	};
}

/** What a page shows: the first one has the trap list before its contents. */
function shownText(page: Page): string {
	const trap = pages.find(({ source }) => source === trapList);
	return page.source !== contentsPage || trap === undefined
		? page.text
		: page.text.replace(/^(?=## )/m, () => `${trap.text.replace(/^# /, "## ").trimEnd()}\n\n`);
}

/** The headings of a page's HTML that its own menu shows. */
function headingsOf(
	html: string,
): readonly { readonly id: string; readonly title: string; readonly level: string }[] {
	return [...html.matchAll(/<h([23]) id="([^"]+)"[^>]*>(.*?)<\/h\1>/gs)].map(
		([, level = "", id = "", title = ""]) => ({
			level,
			id,
			title: title.replaceAll(/<[^>]+>/g, ""),
		}),
	);
}
