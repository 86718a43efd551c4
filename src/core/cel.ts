/**
 * One kind of mistake that a rule finds, in CEL. In the texts, what stands between braces is a CEL expression for a
 * text. The words that expressions may use are those of `src/export/`: `e` is the judged object with what
 * its fields mean written out, `variables.…` are the policy of its namespace.
 */
export interface CelProblem {
	/** The name of an item and the list that it comes from; absent: the object is looked at as a whole. */
	readonly each?: readonly [item: string, list: string];
	/** Whether the mistake is there. */
	readonly when: string;
	/** The field, as people write it. */
	readonly path: string;
	readonly message: string;
	readonly hint: string;
	/** It needs what Waymark tells the API server of other objects; absent: the object and its namespace will do. */
	readonly needs?: "table";
	/** Whether it is a mistake of the whole object, so a new one for all that an update adds; absent: without `each`. */
	readonly isAboutWhole?: boolean;
}

/** How the API server judges by itself what a rule is about: the rule's check as admission policies carry it. */
export interface CelCheck {
	readonly problems: readonly CelProblem[];
	/** It compares lists that may be so long that little else fits into the same expression. */
	readonly isCostly?: true;
	/** What only the webhook sees of it, as the end of a sentence that begins with "not". */
	readonly gap?: string;
}

/** Of a list's items that a search finds, so many are looked into; what has more is refused as too large. */
export const celMostDoubtful = 256;

/**
 * Hosts times the characters of the lists that they are compared with: what the API server does in one expression, for the
 * object and the one that it replaces together. So are the other bounds of products.
 */
const celMostCompared = 900_000;

/** Endpoints by name that are compared one by one; more are compared as one text. */
export const celMostNames = 256;

/** The characters of such a text times those of the lists. */
export const celMostText = 24_000_000;

/** Ports times the ranges that they are compared with. */
export const celMostPorts = 60_000;

/** Writes a text as a CEL literal. */
export function celText(text: string): string {
	const escaped = text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n");
	return `'${escaped}'`;
}

/** Writes a regular expression, in the form that RE2 and JavaScript share, as a raw CEL literal. */
export function celPattern(source: string): string {
	return source.includes("'") ? celText(source) : `r'${source}'`;
}

/** Writes texts as a CEL list. */
export function celList(texts: Iterable<string>): string {
	return `[${[...texts].map(celText).join(", ")}]`;
}

/** Turns `Host "{h}" is denied` into a CEL expression for that text. */
export function celTemplate(template: string): string {
	const parts = template
		.split(/\{([^{}]+)\}/)
		.map((part, index) => (index % 2 === 0 ? literals(part) : part))
		.filter((part) => part !== "");
	return parts.length === 0 ? "''" : parts.join(" +\n");
}

const widestLiteral = 88;

/** A text as literals that fit a line each. */
function literals(text: string): string {
	const lines = text.match(new RegExp(`.{1,${widestLiteral}}(?= |$)|.{1,${widestLiteral}}`, "gs")) ?? [];
	return lines.map(celText).join(" +\n");
}

/** A host as `canonicalHost` writes it; only one that is not ASCII stays as it is, and no list allows it then. */
export function celCanonicalHost(host: string): string {
	return `(${host}.endsWith('.') && ${host}.size() > 1 ? ${host}.substring(0, ${host}.size() - 1) : ${host}).lowerAscii()`;
}

const fewLabels = range(8);
const mostSearched = range(3);

function range(end: number): string {
	return `[${Array.from({ length: end }, (_, index) => index + 1).join(", ")}]`;
}

/**
 * Whether a list of patterns covers a host in canonical form, as `covers` says. The list is one text, each pattern
 * between spaces: a loop costs CEL some 5 µs a turn, a search in a text next to nothing. Of a long host there are too
 * many ends to search for, so the patterns are gone through instead.
 */
export function celCovers(patterns: string, host: string): string {
	return `(${patterns}.contains(' ' + ${host} + ' ') ||
  (${host}.size() <= ${longHost} && ${host}.split('.').size() <= 4 ? ${mostSearched}.exists(i,
    i < ${host}.split('.').size() &&
    ${patterns}.contains(' *.' + ${host}.split('.', i + 1)[i] + ' ')) :
    ${patterns}.split(' *.').exists(p, ${host}.endsWith('.' + p.split(' ')[0]))))`;
}

const longHost = 32;

/**
 * What those of these hosts cost that are compared with each pattern by itself, in the units of CEL: some 60 for a pattern,
 * and a search in the text, which costs by the length of both.
 */
function celLongCost(hosts: string): string {
	return `[${hosts}.filter(n, n.size() > ${longHost} || n.split('.').size() > 4)].map(l,
    l.size() * (60 * variables.listPatterns + variables.listLength) + l.join('').size() * variables.listLength / 100)[0]`;
}

/**
 * Whether to compare these hosts with the lists of a namespace, so many times, costs more than an expression may: rules leave
 * the hosts alone then, and the object is refused for its size.
 */
export function celIsTooMuch(hosts: string, times?: string): string {
	const factor = times === undefined ? "" : `${times} * `;
	return `(${factor}${hosts}.size() * variables.listLength > ${celMostCompared} ||
  ${factor}${celLongCost(hosts)} > ${celMostCompared})`;
}

/** As `celCovers` for the few hosts that most are: short ones. */
export function celCoversShort(patterns: string, host: string): string {
	return `(${patterns}.contains(' ' + ${host} + ' ') ||
  ${fewLabels}.exists(i, i < ${host}.split('.').size() &&
    ${patterns}.contains(' *.' + ${host}.split('.', i + 1)[i] + ' ')))`;
}

/** Whether a list of patterns and a host in canonical form have a name in common, as `overlaps` says. */
export function celOverlaps(patterns: string, host: string): string {
	return `(${celCovers(patterns, host)} ||
  ${host}.startsWith('*') && ${patterns}.size() > 1 && ${patterns}.contains(${host}.substring(1) + ' '))`;
}

/** The Service that a host means, as NAMESPACE/NAME (`serviceOfHost`); an empty text when it cannot be one. */
export function celService(host: string): string {
	return `[${celCanonicalHost(host)}.split('.')].map(l,
  l[0] == '' || l[0].startsWith('*') ? '' : l.size() == 1 ? request.namespace + '/' + l[0] :
  l.size() == 2 || l[2] == 'svc' ? l[1] + '/' + l[0] : '')[0]`;
}
