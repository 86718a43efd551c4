/** Text that only becomes manifests when something else has worked on it. */
export interface Dialect {
	readonly name: string;
	/** The line that shows it, counted from 1. */
	readonly line: number;
	/** What turns it into manifests. */
	readonly remedy: string;
}

interface Sign {
	readonly name: string;
	readonly remedy: string;
	/** What is looked for where a line's text begins; sticky, and linear in the length of the line. */
	readonly patterns: readonly RegExp[];
	/** What must follow on the line where the match ends. */
	readonly closedBy?: string;
	/** Whether such a text can be read as YAML all the same, its instructions being comments. */
	readonly isReadable?: true;
}

const helm = { name: "a Helm template", remedy: "helm template … | waymark lint -" } as const;

/** What tells dialects from YAML. A `{{` within quotes tells nothing: Argo and alert rules are full of them. */
const signs: readonly Sign[] = [
	{ ...helm, patterns: [/\{\{-?\s*(?:\/\*|\w|\.|\$)/y] },
	{
		...helm,
		patterns: [
			/(?:- )?[\w./-]+:(?:[^'"#|>\n]*?[\s:])??\{\{-?\s*[\w.$("]/y,
			/- (?:[^'"#|>\n]*?[\s:])??\{\{-?\s*[\w.$("]/y,
		],
		closedBy: "}}",
	},
	{
		name: "a Jinja template",
		remedy: "render it first",
		patterns: [/(?:- )?(?:[\w./-]+:[^'"#\n]*?)??\{%-?\s*\w/y],
	},
	{
		name: "a ytt template",
		remedy: "ytt -f … | waymark lint -",
		isReadable: true,
		patterns: [/(?:[^#\n]*[\s:])?#@(?:[ \t]|\/|load|overlay|data|schema)/y],
	},
];

/**
 * Which dialect a text is written in; undefined for plain YAML and JSON.
 * @param isBroken whether it could not be read as YAML: a template within a block of text can, and is none
 */
export function dialectOf(text: string, isBroken: boolean): Dialect | undefined {
	if (!/\{\{|\{%|#@/.test(text)) {
		return undefined;
	}
	for (const sign of signs) {
		const line = isBroken || sign.isReadable === true ? lineWith(sign, text) : undefined;
		if (line !== undefined) {
			return { name: sign.name, remedy: sign.remedy, line };
		}
	}
	return undefined;
}

/** The line where the first match of a sign ends; undefined where no line has it. */
function lineWith({ patterns, closedBy }: Sign, text: string): number | undefined {
	for (let start = 0, line = 1; start < text.length; line++) {
		const next = text.indexOf("\n", start);
		const stop = next < 0 ? text.length : next;
		const begin = textStart(text, start, stop);
		for (const pattern of patterns) {
			const end = begin < stop ? endOfMatch(pattern, text, begin) : undefined;
			if (end !== undefined && (closedBy === undefined || isOnLine(closedBy, text, end))) {
				return line + text.slice(begin, end).split("\n").length - 1;
			}
		}
		start = stop + 1;
	}
	return undefined;
}

/** Where the blanks end that a line begins with. */
function textStart(text: string, start: number, stop: number): number {
	let begin = start;
	while (begin < stop && (text[begin] === " " || text[begin] === "\t")) {
		begin++;
	}
	return begin;
}

function endOfMatch(pattern: RegExp, text: string, at: number): number | undefined {
	pattern.lastIndex = at;
	return pattern.test(text) ? pattern.lastIndex : undefined;
}

function isOnLine(word: string, text: string, from: number): boolean {
	const end = text.indexOf("\n", from);
	return text.slice(from, end < 0 ? text.length : end).includes(word);
}
