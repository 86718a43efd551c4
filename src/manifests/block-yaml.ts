import { plainScalar } from "./kubectl-yaml.ts";

/** A document that was read without the parser of the whole of YAML. */
export interface BlockDocument {
	/** Its place among the documents of the text, as the parser counts them. */
	readonly index: number;
	readonly content: object;
	/** The character where it begins, counted from 0. */
	readonly offset: number;
}

/** For an object, where the names of its fields begin in the text; for a list, where its items do. */
export type Places = Map<object, Readonly<Record<string | number, number>>>;

/** What a text has in it that only the parser of the whole of YAML reads rightly. */
class NeedsParser extends Error {}

/** Thrown often, so it is made once. */
const needsParser = new NeedsParser("is not all of the YAML that this reader knows");

/** Deeper ones are left to the parser, which knows how deep is too deep. */
const deepest = 60;

/** Tabs, carriage returns and other controls, directives and ends of documents, JSON. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const beyond = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]|^(?:%|\.\.\.)/m;

const fieldName = /(?:"([^"\\\n]{1,200})"|'([^'\n]{1,200})'|([A-Za-z_][\w./-]{0,200})):(?=[ \n]|$) */y;
const quoted = /(?:"([^"\\\n]*)"|'([^'\n]*)'(?!'))/y;
const restOfLine = / *(?: #[^\n]*)?(?=\n|$)/y;
const plainText = /^(?:[A-Za-z0-9_/.+]|-[!-~])[ -~]*$/;
const plainWord = /-?[A-Za-z0-9_/.][\w./*-]*/y;
const textHeader = /\|(-?)(?: +#[^\n]*| *)(?=\n)/y;

/**
 * The documents of a text in the YAML that nearly all manifests are written in: maps and lists by indentation, texts
 * without escapes, lists and maps of one line, blocks of text with `|`. Undefined for a text with anything else in it,
 * be it right or wrong: this reader never says that a text is wrong, and leaves to the parser what kubectl reads
 * otherwise than YAML 1.2 has it. Of what it reads, it gives what `contentOf` gives of the parser's document, several
 * times as fast.
 * @param places filled with the places of everything that is read
 */
export function readBlockYaml(text: string, places?: Places): readonly BlockDocument[] | undefined {
	if (beyond.test(text)) {
		return undefined;
	}
	try {
		return new BlockReader(text, places).documents();
	} catch (error) {
		if (error instanceof NeedsParser) {
			return undefined;
		}
		throw error;
	}
}

/** Stands at a line that says something, or at a place in it. */
class BlockReader {
	readonly #text: string;
	readonly #places: Places | undefined;
	/** Where the next thing to read begins. */
	#at = 0;
	/** How far the line, or the first field of an item in it, is indented; -1 where a document or the text ends. */
	#indent = -1;
	#depth = 0;

	constructor(text: string, places: Places | undefined) {
		this.#text = text;
		this.#places = places;
	}

	documents(): readonly BlockDocument[] {
		const documents: BlockDocument[] = [];
		let index = -1;
		this.#toLine(0);
		while (this.#at < this.#text.length) {
			if (this.#indent < 0) {
				index += 1;
				this.#skip(3);
			} else if (this.#indent > 0 || this.#isItem()) {
				throw needsParser;
			} else {
				index = Math.max(index, 0);
				const offset = this.#at;
				documents.push({ index, offset, content: this.#map(0) });
				if (this.#indent >= 0) {
					throw needsParser;
				}
			}
		}
		return documents;
	}

	/** Goes to the first line from a place on that is neither blank nor a comment. */
	#toLine(from: number): void {
		const text = this.#text;
		let start = from;
		while (start < text.length) {
			let at = start;
			while (text.charCodeAt(at) === 32) {
				at += 1;
			}
			const code = text.charCodeAt(at);
			if (at < text.length && code !== 10 && code !== 35) {
				this.#at = at;
				this.#indent = at === start && text.startsWith("---", at) ? -1 : at - start;
				return;
			}
			const end = text.indexOf("\n", at);
			start = end < 0 ? text.length : end + 1;
		}
		this.#at = text.length;
		this.#indent = -1;
	}

	/** Goes on behind so many characters that nothing but a comment may follow on their line. */
	#skip(length: number): void {
		restOfLine.lastIndex = this.#at + length;
		if (!restOfLine.test(this.#text)) {
			throw needsParser;
		}
		this.#toLine(restOfLine.lastIndex + 1);
	}

	/** Whether an item of a list begins here. */
	#isItem(): boolean {
		const next = this.#text.charCodeAt(this.#at + 1);
		return this.#text.charCodeAt(this.#at) === 45 && (next === 32 || next === 10 || Number.isNaN(next));
	}

	#map(indent: number): object {
		const fields: Record<string, unknown> = {};
		const places: Record<string, number> = {};
		this.#enter(fields, places);
		while (this.#indent === indent) {
			const at = this.#at;
			const name = this.#fieldName(fields);
			places[name] = at;
			fields[name] = this.#valueBehind(indent);
		}
		this.#leave(indent);
		return fields;
	}

	#list(indent: number): readonly unknown[] {
		const items: unknown[] = [];
		const places: Record<number, number> = {};
		this.#enter(items, places);
		while (this.#indent === indent && this.#isItem()) {
			const dash = this.#at;
			this.#at += 1;
			while (this.#text.charCodeAt(this.#at) === 32) {
				this.#at += 1;
			}
			fieldName.lastIndex = this.#at;
			if (fieldName.test(this.#text)) {
				this.#indent = indent + this.#at - dash;
				places[items.length] = this.#at;
				items.push(this.#map(this.#indent));
			} else {
				const code = this.#text.charCodeAt(this.#at);
				if (code === 10 || code === 35 || Number.isNaN(code)) {
					// An item that stands below its dash, or nowhere.
					throw needsParser;
				}
				places[items.length] = this.#at;
				items.push(this.#valueBehind(indent));
			}
		}
		this.#leave(indent);
		return items;
	}

	#enter(whole: object, places: Readonly<Record<string | number, number>>): void {
		this.#places?.set(whole, places);
		this.#depth += 1;
		if (this.#depth > deepest) {
			throw needsParser;
		}
	}

	/** What follows a map or a list must belong to something that is indented less. */
	#leave(indent: number): void {
		if (this.#indent > indent) {
			throw needsParser;
		}
		this.#depth -= 1;
	}

	/** Reads the name of a field, and stands behind it. */
	#fieldName(fields: object): string {
		fieldName.lastIndex = this.#at;
		const [, double, single, plain] = fieldName.exec(this.#text) ?? [];
		const name = double ?? single ?? plain;
		// Another name, or one that is written twice.
		if (name === undefined || Object.hasOwn(fields, name) || name === "__proto__") {
			throw needsParser;
		}
		if (plain !== undefined && plainScalar(plain) !== plain) {
			throw needsParser;
		}
		this.#at = fieldName.lastIndex;
		return name;
	}

	/** What stands behind a field's name or an item's dash, or below it. */
	#valueBehind(indent: number): unknown {
		const code = this.#text.charCodeAt(this.#at);
		if (code === 91 || code === 123) {
			const value = this.#flow();
			this.#skip(0);
			return value;
		}
		if (code === 34 || code === 39) {
			const value = this.#quoted();
			this.#skip(0);
			return value;
		}
		if (code === 124) {
			return this.#textBlock(indent);
		}
		const end = this.#endOfLine();
		const line = this.#text.slice(this.#at, end);
		const comment = line.startsWith("#") ? 0 : line.indexOf(" #");
		const word = withoutBlanksBehind(comment < 0 ? line : line.slice(0, comment));
		this.#toLine(end + 1);
		return word === "" ? this.#below(indent) : plainOf(word);
	}

	#endOfLine(): number {
		const end = this.#text.indexOf("\n", this.#at);
		return end < 0 ? this.#text.length : end;
	}

	#below(indent: number): unknown {
		if (this.#indent > indent) {
			return this.#isItem() ? this.#list(this.#indent) : this.#map(this.#indent);
		}
		return this.#indent === indent && this.#isItem() ? this.#list(indent) : null;
	}

	#quoted(): string {
		quoted.lastIndex = this.#at;
		const [whole, double, single] = quoted.exec(this.#text) ?? [];
		const value = double ?? single;
		if (whole === undefined || value === undefined) {
			throw needsParser;
		}
		this.#at += whole.length;
		return value;
	}

	/** A block of text, with one line's end at most behind it. */
	#textBlock(indent: number): string {
		textHeader.lastIndex = this.#at;
		const header = textHeader.exec(this.#text);
		const first = textHeader.lastIndex + 1;
		let width = 0;
		while (this.#text.charCodeAt(first + width) === 32) {
			width += 1;
		}
		if (header === null || width <= indent || this.#text.charCodeAt(first + width) === 10) {
			throw needsParser;
		}
		const lines: string[] = [];
		let start = first;
		while (start < this.#text.length) {
			this.#at = start;
			const line = this.#text.slice(start, this.#endOfLine());
			if (/[^ ]/.test(line.slice(0, width))) {
				break;
			}
			lines.push(line.slice(width));
			start = this.#endOfLine() + 1;
		}
		// A last line without an end is another matter.
		if (start > this.#text.length) {
			throw needsParser;
		}
		this.#toLine(start);
		const value = lines.join("\n").replace(/\n+$/, "");
		return header[1] === "-" ? value : `${value}\n`;
	}

	/** A list or a map on one line. */
	#flow(): unknown {
		const code = this.#text.charCodeAt(this.#at);
		if (code === 34 || code === 39) {
			return this.#quoted();
		}
		if (code === 91) {
			return this.#flowList();
		}
		return code === 123 ? this.#flowMap() : plainOf(this.#word());
	}

	#word(): string {
		plainWord.lastIndex = this.#at;
		const [word] = plainWord.exec(this.#text) ?? [];
		if (word === undefined) {
			throw needsParser;
		}
		this.#at += word.length;
		return word;
	}

	#flowList(): readonly unknown[] {
		const items: unknown[] = [];
		const places: Record<number, number> = {};
		this.#enter(items, places);
		for (let isMore = this.#open("]"); isMore; isMore = this.#another("]")) {
			places[items.length] = this.#at;
			items.push(this.#flow());
		}
		this.#depth -= 1;
		return items;
	}

	#flowMap(): object {
		const fields: Record<string, unknown> = {};
		const places: Record<string, number> = {};
		this.#enter(fields, places);
		for (let isMore = this.#open("}"); isMore; isMore = this.#another("}")) {
			const at = this.#at;
			const name = this.#fieldName(fields);
			places[name] = at;
			fields[name] = this.#flow();
		}
		this.#depth -= 1;
		return fields;
	}

	/** Steps into a list or a map; whether it has anything in it. */
	#open(close: string): boolean {
		this.#at += 1;
		this.#skipBlanks();
		if (this.#text[this.#at] !== close) {
			return true;
		}
		this.#at += 1;
		return false;
	}

	/** Steps over what stands behind an item; whether another follows. */
	#another(close: string): boolean {
		this.#skipBlanks();
		const next = this.#text[this.#at];
		this.#at += 1;
		if (next === close) {
			return false;
		}
		if (next !== ",") {
			throw needsParser;
		}
		this.#skipBlanks();
		return true;
	}

	#skipBlanks(): void {
		while (this.#text.charCodeAt(this.#at) === 32) {
			this.#at += 1;
		}
	}
}

function withoutBlanksBehind(line: string): string {
	let end = line.length;
	while (line.charCodeAt(end - 1) === 32) {
		end -= 1;
	}
	return line.slice(0, end);
}

function plainOf(word: string): unknown {
	if (!plainText.test(word) || word.includes(": ") || word.endsWith(":")) {
		throw needsParser;
	}
	const value = plainScalar(word);
	if (value === undefined) {
		throw needsParser;
	}
	return value;
}
