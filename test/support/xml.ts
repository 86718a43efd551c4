/** An element of XML. */
export interface XmlElement {
	readonly name: string;
	readonly attributes: Readonly<Record<string, string>>;
	readonly children: readonly XmlElement[];
	readonly text: string;
}

interface Open {
	readonly name: string;
	readonly attributes: Record<string, string>;
	readonly children: XmlElement[];
	text: string;
}

const token = /<\?[^>]*\?>|<(\/?)([A-Za-z][\w.-]*)((?:\s+[\w:.-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** Parses well-formed XML without declarations, comments and CDATA; throws where it is not well-formed. */
export function parseXml(text: string): XmlElement {
	const top: Open = { name: "", attributes: {}, children: [], text: "" };
	const open: Open[] = [top];
	token.lastIndex = 0;
	while (token.lastIndex < text.length) {
		const at = token.lastIndex;
		const match = token.exec(text);
		const current = open.at(-1);
		if (match === null || current === undefined) {
			throw new Error(`Cannot read XML: ${JSON.stringify(text.slice(at, at + 40))}`);
		}
		const [, closing, name, attributes, single, content] = match;
		if (content !== undefined) {
			current.text += decode(content);
		} else if (name !== undefined && closing === "/") {
			if (current.name !== name) {
				throw new Error(`Cannot read XML: </${name}> closes <${current.name}>`);
			}
			open.pop();
		} else if (name !== undefined) {
			const element: Open = { name, attributes: attributesOf(attributes ?? ""), children: [], text: "" };
			current.children.push(element);
			if (single !== "/") {
				open.push(element);
			}
		}
	}
	const [root] = top.children;
	if (root === undefined || open.length !== 1 || top.children.length !== 1) {
		throw new Error("Cannot read XML: it has no single root");
	}
	return root;
}

function attributesOf(text: string): Record<string, string> {
	return Object.fromEntries(
		[...text.matchAll(/([\w:.-]+)="([^"]*)"/g)].map(([, name, value]) => [name, decode(value ?? "")]),
	);
}

function decode(text: string): string {
	return text.replaceAll(
		/&(#(\d+)|(\w+));/g,
		(all, _, code: string | undefined, name: string | undefined) => {
			const found = code === undefined ? entities[name ?? ""] : String.fromCodePoint(Number(code));
			if (found === undefined) {
				throw new Error(`Cannot read XML: unknown entity ${all}`);
			}
			return found;
		},
	);
}
