import type { Generator, Markdown, Token } from "./generator.ts";
import type { Page } from "./pages.ts";
import { targetOf, urlOf, wayTo } from "./pages.ts";

/** What a page's text is read with. */
export interface PageEnvironment {
	readonly source: string;
	readonly address: string;
}

/** The anchor of a heading, as code hosts make it. */
export function anchorOf(title: string): string {
	return title
		.toLowerCase()
		.replace(/[^\p{L}\p{N}\s_-]/gu, "")
		.trim()
		.replace(/\s/g, "-");
}

/**
 * Reads the pages as code hosts do: the same anchors, links between files of the repository. A rule's id in code leads to
 * the rule's page.
 * @throws Error for a link to a file that the site does not have
 */
export function createMarkdown({ markdownIt, anchor }: Generator, pages: readonly Page[]): Markdown {
	const urls = new Map(pages.map(({ source, url }) => [source, url]));
	const markdown = markdownIt({ html: true }).use(anchor, { slugify: anchorOf, tabIndex: false });
	markdown.core.ruler.push("site_links", ({ tokens, env, Token }) => {
		const { source, address } = env as PageEnvironment;
		for (const { children, type } of tokens) {
			if (type !== "inline" || children === null) {
				continue;
			}
			leadLinks(children, source, address, urls);
			leadRules(children, address, urls, Token);
		}
	});
	markdown.core.ruler.push("site_labels", ({ tokens }) => labelCells(tokens));
	const { rules } = markdown.renderer;
	rules.table_open = () => '<div class="table"><table>\n';
	rules.table_close = () => "</table></div>\n";
	return markdown;
}

/** Gives every cell the name of its column, for screens on which a row is no row. */
function labelCells(tokens: readonly Token[]): void {
	let labels: string[] = [];
	let column = 0;
	for (const [at, token] of tokens.entries()) {
		if (token.type === "thead_open") {
			labels = [];
		} else if (token.type === "tr_open") {
			column = 0;
		} else if (token.type === "th_open") {
			labels.push(tokens[at + 1]?.content.replaceAll("`", "") ?? "");
		} else if (token.type === "td_open") {
			const label = labels[column++] ?? "";
			if (label !== "") {
				token.attrSet("data-label", label);
			}
		}
	}
}

function leadLinks(
	tokens: readonly Token[],
	source: string,
	address: string,
	urls: ReadonlyMap<string, string>,
): void {
	for (const token of tokens) {
		const name = token.type === "link_open" ? "href" : token.type === "image" ? "src" : undefined;
		const target = name === undefined ? null : token.attrGet(name);
		if (name === undefined || target === null || /^[a-z]+:/.test(target)) {
			continue;
		}
		const { path, anchor } = targetOf(source, decodeURI(target));
		const url = urls.get(path) ?? urls.get(`${path}/README.md`) ?? urlOf(path);
		if (url === undefined) {
			throw new Error(`Cannot lead ${source} to ${target}: the site does not have it`);
		}
		const hash = anchor === undefined ? "" : `#${anchor}`;
		token.attrSet(name, path === source ? hash || "#" : `${wayTo(address, url)}${hash}`);
	}
}

/** Makes links of the rules' ids that stand in code, where they are not in a link already. */
function leadRules(
	tokens: Token[],
	address: string,
	urls: ReadonlyMap<string, string>,
	TokenType: new (type: string, tag: string, nesting: -1 | 0 | 1) => Token,
): void {
	let isInLink = false;
	for (let at = 0; at < tokens.length; at++) {
		const token = tokens[at];
		if (token?.type === "link_open" || token?.type === "link_close") {
			isInLink = token.type === "link_open";
		}
		const url =
			token?.type === "code_inline" && !isInLink ? urls.get(`docs/rules/${token.content}.md`) : undefined;
		if (token === undefined || url === undefined || url === address) {
			continue;
		}
		const open = new TokenType("link_open", "a", 1);
		open.attrSet("href", wayTo(address, url));
		tokens.splice(at, 1, open, token, new TokenType("link_close", "a", -1));
		at += 2;
	}
}
