/** A piece of a report, for Markdown and for HTML alike. Text may have `code` between backticks and **bold** words. */
export type Block =
	| { readonly kind: "heading"; readonly level: 1 | 2 | 3; readonly text: string }
	| { readonly kind: "text"; readonly text: string }
	| { readonly kind: "warning"; readonly text: string }
	| { readonly kind: "list"; readonly items: readonly string[] }
	| { readonly kind: "steps"; readonly steps: readonly Instruction[] }
	| {
			readonly kind: "table";
			readonly columns: readonly string[];
			readonly rows: readonly (readonly string[])[];
	  }
	| { readonly kind: "picture"; readonly title: string; readonly ways: readonly Way[] }
	| { readonly kind: "details"; readonly title: string; readonly blocks: readonly Block[] };

/** One step of an order, with commands to type. */
export interface Instruction {
	readonly text: string;
	readonly commands: readonly string[];
	/** What follows the commands. */
	readonly more?: string;
}

/** A way through boxes, from the left to the right. */
export interface Way {
	readonly boxes: readonly string[];
	/** What leads from each box to the next: a label; undefined where nothing leads on. */
	readonly arrows: readonly (string | undefined)[];
}

/** A name that a user chose, as code: no backtick and no new line can leave it. */
export function code(text: string): string {
	return `\`${text.replaceAll(/[`\p{Cc}\p{Zl}\p{Zp}]/gu, " ")}\``;
}

/** A number with its noun: `1 field`, `2 fields`. */
export function count(number: number, one: string, many = `${one}s`): string {
	return `${number} ${number === 1 ? one : many}`;
}

const broken = "nothing leads here";

/** A report as Markdown. */
export function renderMarkdown(blocks: readonly Block[]): string {
	return blocks.flatMap(markdownOf).join("\n");
}

function markdownOf(block: Block): readonly string[] {
	switch (block.kind) {
		case "heading":
			return [`${"#".repeat(block.level)} ${block.text}`, ""];
		case "text":
			return [block.text, ""];
		case "warning":
			return [`> ${block.text}`, ""];
		case "list":
			return [...block.items.map((item) => `- ${item}`), ""];
		case "steps":
			return [...block.steps.flatMap(markdownStep), ""];
		case "table":
			return [
				`| ${block.columns.join(" | ")} |`,
				`|${block.columns.map(() => " --- |").join("")}`,
				...block.rows.map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`),
				"",
			];
		case "picture":
			return [`${block.title}:`, "", "```mermaid", "flowchart LR", ...mermaid(block.ways), "```", ""];
		default:
			return [
				`<details><summary>${block.title}</summary>`,
				"",
				...block.blocks.flatMap(markdownOf),
				"</details>",
				"",
			];
	}
}

function markdownStep({ text, commands, more }: Instruction, index: number): readonly string[] {
	const lines = commands.map((command) => `   ${command}`);
	return [
		`${index + 1}. ${text}`,
		...(commands.length > 0 ? ["", "   ```sh", ...lines, "   ```", ""] : []),
		...(more === undefined ? [] : [`   ${more}`]),
	];
}

/** A label in a Mermaid picture: nothing in it ends the label. */
function label(text: string): string {
	return `"${text.replaceAll(/[^\p{L}\p{N} .,:*/_()-]/gu, " ")}"`;
}

function mermaid(ways: readonly Way[]): readonly string[] {
	const ids = new Map<string, string>();
	const box = (text: string): string => {
		const id = ids.get(text) ?? `n${ids.size}`;
		ids.set(text, id);
		return `${id}[${label(text)}]`;
	};
	const lines = ways.flatMap(({ boxes, arrows }) =>
		arrows.map((arrow, index) => {
			const [from, to] = [box(boxes[index] ?? ""), box(boxes[index + 1] ?? "")];
			return arrow === undefined
				? `  ${from} --x|${label(broken)}| ${to}`
				: `  ${from} -->|${label(arrow)}| ${to}`;
		}),
	);
	return [...new Set(lines)];
}

function escapeHtml(text: string): string {
	const names: Readonly<Record<string, string>> = {
		"&": "&amp;",
		"<": "&lt;",
		">": "&gt;",
		'"': "&quot;",
		"'": "&#39;",
	};
	return text.replaceAll(/[&<>"']/g, (letter) => names[letter] ?? "");
}

/** Text with its code and bold words as HTML. */
function inline(text: string): string {
	return escapeHtml(text)
		.replaceAll(/`([^`]*)`/g, "<code>$1</code>")
		.replaceAll(/\*\*([^*]*)\*\*/g, "<b>$1</b>");
}

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
code{font:13px ui-monospace,monospace;background:#f0f2f5;padding:.1em .3em;border-radius:3px;overflow-wrap:anywhere}
pre{background:#f0f2f5;padding:.6rem;overflow:auto}pre code{background:none;padding:0}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #d0d7de;padding:.3rem .5rem;text-align:left;vertical-align:top}
.warning{border-left:4px solid #b35900;background:#fff4e5;padding:.5rem 1rem}
svg{max-width:100%;height:auto}svg text{font:13px system-ui,sans-serif;fill:#1b1f24}
svg rect{fill:#eef4fb;stroke:#3b6ea5}svg line{stroke:#3b6ea5;stroke-width:1.5}svg .broken line{stroke:#b3261e;stroke-dasharray:5 4}svg .broken text{fill:#b3261e}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e8ea}code,pre{background:#22272e}td,th{border-color:#3a424b}.warning{background:#33250f}svg text{fill:#e6e8ea}svg rect{fill:#1d2b3a}}`;

/** A report as one HTML file that loads nothing: no script, no font, no picture from elsewhere. */
export function renderHtml(title: string, blocks: readonly Block[]): string {
	return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
${blocks.map(htmlOf).join("\n")}
</html>
`;
}

function htmlOf(block: Block): string {
	switch (block.kind) {
		case "heading":
			return `<h${block.level}>${inline(block.text)}</h${block.level}>`;
		case "text":
			return `<p>${inline(block.text)}</p>`;
		case "warning":
			return `<p class="warning">${inline(block.text)}</p>`;
		case "list":
			return `<ul>${block.items.map((item) => `<li>${inline(item)}</li>`).join("")}</ul>`;
		case "steps":
			return `<ol>${block.steps.map(htmlStep).join("")}</ol>`;
		case "table": {
			const head = block.columns.map((cell) => `<th>${inline(cell)}</th>`).join("");
			const rows = block.rows.map(
				(row) => `<tr>${row.map((cell) => `<td>${inline(cell)}</td>`).join("")}</tr>`,
			);
			return `<table><tr>${head}</tr>${rows.join("\n")}</table>`;
		}
		case "picture":
			return `<p>${inline(block.title)}:</p>\n${svg(block.title, block.ways)}`;
		default:
			return `<details><summary>${inline(block.title)}</summary>${block.blocks.map(htmlOf).join("\n")}</details>`;
	}
}

function htmlStep({ text, commands, more }: Instruction): string {
	const typed = commands.length > 0 ? `<pre><code>${escapeHtml(commands.join("\n"))}</code></pre>` : "";
	return `<li>${inline(text)}${typed}${more === undefined ? "" : inline(more)}</li>`;
}

const boxWidth = 230;
const gap = 170;
const rowHeight = 64;
const mostLetters = 30;

/** Each way as a row of boxes and arrows; a way that leads nowhere is red and broken. */
function svg(title: string, ways: readonly Way[]): string {
	const columns = Math.max(1, ...ways.map(({ boxes }) => boxes.length));
	const [width, height] = [columns * boxWidth + (columns - 1) * gap + 4, ways.length * rowHeight + 4];
	const rows = ways.map((way, row) => svgRow(way, row * rowHeight + 12));
	return `<svg role="img" aria-label="${escapeHtml(title)}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"><defs><marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto"><path d="M0 0L8 4L0 8z" fill="#3b6ea5"/></marker></defs>${rows.join("")}</svg>`;
}

function short(text: string, most: number): string {
	return escapeHtml(text.length > most ? `${text.slice(0, most - 1)}…` : text);
}

function svgRow({ boxes, arrows }: Way, top: number): string {
	const middle = top + 20;
	const drawn = boxes.map((text, index) => {
		const left = 2 + index * (boxWidth + gap);
		return `<g><title>${escapeHtml(text)}</title><rect x="${left}" y="${top}" width="${boxWidth}" height="40" rx="6"/><text x="${left + boxWidth / 2}" y="${middle + 5}" text-anchor="middle">${short(text, mostLetters)}</text></g>`;
	});
	const lines = arrows.map((arrow, index) => {
		const left = 2 + index * (boxWidth + gap) + boxWidth;
		const line = `<line x1="${left + 4}" y1="${middle}" x2="${left + gap - 4}" y2="${middle}"${arrow === undefined ? "" : ' marker-end="url(#a)"'}/>`;
		const text = `<text x="${left + gap / 2}" y="${middle - 6}" text-anchor="middle">${short(arrow ?? `✕ ${broken}`, 22)}</text>`;
		return `<g${arrow === undefined ? ' class="broken"' : ""}><title>${escapeHtml(arrow ?? broken)}</title>${line}${text}</g>`;
	});
	return drawn.join("") + lines.join("");
}
