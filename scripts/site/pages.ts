import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";

/** One page of the site. */
export interface Page {
	/** Its file, from the root of the repository. */
	readonly source: string;
	/** Where it is on the site, such as `rules/index.html`. */
	readonly url: string;
	readonly title: string;
	readonly text: string;
}

/** A heading of the contents with the pages below it. */
export interface Chapter {
	readonly title: string;
	readonly links: readonly { readonly title: string; readonly url: string }[];
}

/** The page whose headings and lists are the site's contents. */
export const contentsPage = "docs/README.md";

/** The page whose table the site begins with. */
export const trapList = "docs/capture.md";

/** Pages outside docs/ by their names on the site. */
const others: Readonly<Record<string, string>> = {
	"README.md": "readme.html",
	"CONTRIBUTING.md": "contributing.html",
	"SECURITY.md": "security.html",
	"CHANGELOG.md": "changelog.html",
	"charts/waymark/README.md": "chart.html",
	"certs/README.md": "certs.html",
	"test/e2e/README.md": "end-to-end.html",
};

/** Where a file of the repository is on the site, as a page or as it is; undefined when it is not there. */
export function urlOf(source: string): string | undefined {
	const other = others[source];
	if (other !== undefined) {
		return other;
	}
	const isShown = source.startsWith("docs/") || source.startsWith("examples/") || source.startsWith("certs/");
	if (!isShown) {
		return undefined;
	}
	const path = source.startsWith("docs/") ? source.slice("docs/".length) : source;
	return path.replace(/(^|\/)README\.md$/, "$1index.md").replace(/\.md$/, ".html");
}

/** The files that pages link to and that are shown as they are. */
export function plainFiles(root: string): readonly string[] {
	return globSync(["docs/schemas/*", "docs/images/*", "docs/try/*"], { cwd: root }).map(asUrl).toSorted();
}

/** Every page, the contents first. */
export function readPages(root: string): readonly Page[] {
	const written = globSync(["docs/**/*.md"], { cwd: root }).map(asUrl);
	const sources = [
		contentsPage,
		...[...Object.keys(others), ...written].filter((each) => each !== contentsPage),
	];
	const pages = sources.map((source) => readPage(root, source));
	return [...pages, ...foldersOf(root, pages)];
}

function readPage(root: string, source: string): Page {
	const text = readFileSync(join(root, source), "utf8");
	return { source, url: urlOf(source) ?? source, title: titleOf(text, source), text };
}

function titleOf(text: string, source: string): string {
	return /^# (.+)$/m.exec(text)?.[1]?.replaceAll("`", "") ?? source;
}

/** A page for each folder that a page links to and that has none: its pages, or its files as they are. */
function foldersOf(root: string, pages: readonly Page[]): readonly Page[] {
	const folders = new Set<string>();
	for (const page of pages) {
		for (const target of linksOf(page.text)) {
			const path = targetOf(page.source, target).path;
			const isFolder = existsSync(join(root, path)) && statSync(join(root, path)).isDirectory();
			if (isFolder && !pages.some(({ source }) => source === `${path}/README.md`)) {
				folders.add(path);
			}
		}
	}
	return [...folders].toSorted().map((folder) => {
		const source = `${folder}/README.md`;
		const title = titles[folder] ?? folder;
		const inside = globSync(`${folder}/*`, { cwd: root }).map(asUrl).toSorted();
		const text = inside.every((file) => file.endsWith(".md"))
			? inside.map((file) => `- [${readPage(root, file).title}](${posix.basename(file)})`)
			: inside.map(
					(file) =>
						`## ${posix.basename(file)}\n\n\`\`\`yaml\n${readFileSync(join(root, file), "utf8").trimEnd()}\n\`\`\`\n`,
				);
		return { source, url: urlOf(source) ?? source, title, text: `# ${title}\n\n${text.join("\n")}\n` };
	});
}

const titles: Readonly<Record<string, string>> = {
	"docs/decisions": "Decisions",
	examples: "The world of examples/",
	"certs/cert-manager": "cert-manager",
};

/** Where the links of a page's text lead, as they are written. */
export function linksOf(text: string): readonly string[] {
	return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
}

/** A link of a page as a file of the repository and an anchor in it. */
export function targetOf(
	source: string,
	target: string,
): { readonly path: string; readonly anchor: string | undefined } {
	const [path = "", anchor] = target.split("#");
	const file = path === "" ? source : posix.join(posix.dirname(source), path).replace(/\/$/, "");
	return { path: file, anchor };
}

/** The chapters of the contents, for the menu of every page. */
export function readChapters(contents: Page): readonly Chapter[] {
	const chapters: { title: string; links: { title: string; url: string }[] }[] = [];
	for (const [, heading, title = "", target = ""] of contents.text.matchAll(
		/^## (.+)$|^- \[([^\]]+)\]\(([^)]+)\)/gm,
	)) {
		if (heading !== undefined) {
			chapters.push({ title: heading, links: [] });
		} else {
			const { path } = targetOf(contents.source, target);
			const url = urlOf(path) ?? path;
			chapters.at(-1)?.links.push({ title, url: url.endsWith(".html") ? url : `${url}/index.html` });
		}
	}
	return chapters;
}

/** The way from one page of the site to another, which holds wherever the site is put. */
export function wayTo(from: string, to: string): string {
	return relative(dirname(from), to).replaceAll("\\", "/");
}

function asUrl(path: string): string {
	return path.replaceAll("\\", "/");
}
