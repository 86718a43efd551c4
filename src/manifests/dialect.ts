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
	readonly pattern: RegExp;
	/** Whether such a text can be read as YAML all the same, its instructions being comments. */
	readonly isReadable?: true;
}

/** What tells dialects from YAML. A `{{` within quotes tells nothing: Argo and alert rules are full of them. */
const signs: readonly Sign[] = [
	{
		name: "a Helm template",
		remedy: "helm template … | waymark lint -",
		pattern:
			/^(?:\s*\{\{-?\s*(?:\/\*|\w|\.|\$)|[ \t]*(?:- )?(?:[\w./-]+:[ \t]*|- )(?:[^'"#|>\n]*[\s:])?\{\{-?\s*[\w.$("][^\n]*\}\})/m,
	},
	{
		name: "a Jinja template",
		remedy: "render it first",
		pattern: /^[ \t]*(?:- )?(?:[\w./-]+:[^'"#\n]*)?\{%-?\s*\w+/m,
	},
	{
		name: "a ytt template",
		remedy: "ytt -f … | waymark lint -",
		isReadable: true,
		pattern: /^[ \t]*(?:[^#\n]*[\s:])?#@(?:[ \t]|\/|load|overlay|data|schema)/m,
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
	for (const { name, remedy, pattern, isReadable } of signs) {
		const match = isBroken || isReadable === true ? pattern.exec(text) : null;
		if (match !== null) {
			return { name, remedy, line: text.slice(0, match.index + match[0].length).split("\n").length };
		}
	}
	return undefined;
}
