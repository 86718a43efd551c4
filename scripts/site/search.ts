import type { Markdown, Token } from "./generator.ts";
import type { PageEnvironment } from "./markdown.ts";
import type { Page } from "./pages.ts";

/** A part of a page that a search can find: what stands below one heading. */
export interface SearchPart {
	readonly id: number;
	/** The page with the anchor of the heading, from the root of the site. */
	readonly url: string;
	readonly page: string;
	readonly heading: string;
	readonly text: string;
}

/** Everything that a search finds: the text below each heading, without examples. */
export function searchParts(markdown: Markdown, pages: readonly Page[]): readonly SearchPart[] {
	const parts: SearchPart[] = [];
	for (const page of pages) {
		let heading = page.title;
		let anchor = "";
		let text: string[] = [];
		const close = (): void => {
			if (text.length > 0 || anchor === "") {
				const joined = text.join(" ").replaceAll(/\s+/g, " ").trim();
				parts.push({ id: parts.length, url: page.url + anchor, page: page.title, heading, text: joined });
			}
		};
		const environment: PageEnvironment = { source: page.source, address: page.url };
		const tokens = markdown.parse(page.text, environment);
		let isInTable = false;
		for (const [at, token] of tokens.entries()) {
			const before = tokens[at - 1];
			isInTable = token.type === "table_open" || (isInTable && token.type !== "table_close");
			// Every rule's page begins with the same table, which says nothing of the rule in a list of results.
			if (token.type !== "inline" || (isInTable && anchor === "" && page.url.startsWith("rules/"))) {
				continue;
			}
			if (before?.type !== "heading_open") {
				text.push(textOf(token));
			} else if (before.tag !== "h1") {
				close();
				heading = textOf(token);
				anchor = `#${before.attrGet("id") ?? ""}`;
				text = [];
			}
		}
		close();
	}
	return parts;
}

function textOf({ children }: Token): string {
	return (children ?? [])
		.map(({ type, content }) =>
			type === "text" || type === "code_inline" ? content : type === "softbreak" ? " " : "",
		)
		.join("");
}
