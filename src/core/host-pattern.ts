/** A host or a `*.suffix`, in canonical form. */
export interface HostPattern {
	readonly text: string;
	/** What follows the `*` (".example.com"); undefined when the pattern names one host. */
	readonly suffix: string | undefined;
}

const label = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const hostName = new RegExp(`^${label}(?:\\.${label})*$`);
const unicodeHost = /^[\p{L}\p{N}\p{M}._*-]+$/u;

/** The one spelling under which hosts are compared: lower case, no trailing dot, punycode (RFC 5891). */
export function canonicalHost(host: string): string {
	if (isCanonical(host)) {
		return host;
	}
	let text = host.toLowerCase();
	if (text.endsWith(".") && text.length > 1) {
		text = text.slice(0, -1);
	}
	return isAscii(text) ? text : toAscii(text);
}

/** Whether a host is ASCII in lower case without a dot at its end, as nearly all are. */
function isCanonical(host: string): boolean {
	for (let index = 0; index < host.length; index++) {
		const code = host.charCodeAt(index);
		if (code > 127 || (code >= 65 && code <= 90)) {
			return false;
		}
	}
	return host.length <= 1 || host.charCodeAt(host.length - 1) !== 46;
}

function isAscii(text: string): boolean {
	for (let index = 0; index < text.length; index++) {
		if (text.charCodeAt(index) > 127) {
			return false;
		}
	}
	return true;
}

// The URL parser is the IDNA implementation that every runtime has; only letters, digits, dots, hyphens and a
// leading wildcard reach it, so nothing but the host of this constant URL can change.
function toAscii(text: string): string {
	if (!unicodeHost.test(text)) {
		return text;
	}
	const wildcard = text.startsWith("*.") ? "*." : "";
	const url = URL.parse(`http://${text.slice(wildcard.length)}/`);
	return url === null ? text : wildcard + url.hostname;
}

/** The last two labels of a host; of a wildcard for the names of one domain, that domain. */
export function domainOf(host: string): string {
	return host.slice(host.lastIndexOf(".", host.lastIndexOf(".") - 1) + 1);
}

/** Parses `host` or `*.suffix`; undefined when it is neither. */
export function parseHostPattern(text: string): HostPattern | undefined {
	const host = canonicalHost(text);
	const name = host.startsWith("*.") ? host.slice(2) : host;
	if (name.length > 253 || !hostName.test(name)) {
		return undefined;
	}
	return { text: host, suffix: host.startsWith("*.") ? host.slice(1) : undefined };
}

/**
 * Whether a pattern covers every name that a host stands for. Hosts may carry Istio's wildcards: `*.a.com`, and the
 * partial `*a.com`, which stands for every name that ends in `a.com` (Istio pkg/config/host/name.go).
 */
export function covers(pattern: HostPattern, host: string): boolean {
	const name = canonicalHost(host);
	if (pattern.suffix === undefined) {
		return name === pattern.text;
	}
	if (name.startsWith("*")) {
		return name.slice(1).endsWith(pattern.suffix);
	}
	return name.length > pattern.suffix.length && name.endsWith(pattern.suffix);
}

/** Whether a pattern and a host have a name in common. */
export function overlaps(pattern: HostPattern, host: string): boolean {
	const name = canonicalHost(host);
	if (covers(pattern, name)) {
		return true;
	}
	if (!name.startsWith("*")) {
		return false;
	}
	const suffix = name.slice(1);
	return pattern.suffix === undefined ? pattern.text.endsWith(suffix) : pattern.suffix.endsWith(suffix);
}

/** The patterns of a long list by what they end in, so that a host need not be held to each. */
interface PatternIndex {
	readonly texts: ReadonlySet<string>;
	readonly suffixes: ReadonlySet<string>;
	/** Everything from a dot on in the texts of patterns: what the wildcards above them end in. */
	readonly ends: ReadonlySet<string>;
}

const fewPatterns = 8;

// Lists are parsed with their policy and never changed.
const indexes = new WeakMap<readonly HostPattern[], PatternIndex>();

function indexOf(patterns: readonly HostPattern[]): PatternIndex {
	let index = indexes.get(patterns);
	if (index === undefined) {
		index = {
			texts: new Set(patterns.flatMap(({ text, suffix }) => (suffix === undefined ? text : []))),
			suffixes: new Set(patterns.flatMap(({ suffix }) => suffix ?? [])),
			ends: new Set(patterns.flatMap(({ text, suffix }) => [...endsOf(suffix ?? text)])),
		};
		indexes.set(patterns, index);
	}
	return index;
}

/** What a name has from each dot on. */
function* endsOf(name: string): Iterable<string> {
	for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
		yield name.slice(dot);
	}
}

/** Whether some pattern of a list covers every name that a host stands for. */
export function someCovers(patterns: readonly HostPattern[], host: string): boolean {
	if (patterns.length <= fewPatterns) {
		return patterns.some((each) => covers(each, host));
	}
	const { texts, suffixes } = indexOf(patterns);
	const name = canonicalHost(host);
	return texts.has(name) || hasEnd(suffixes, name.startsWith("*") ? name.slice(1) : name, name);
}

function hasEnd(suffixes: ReadonlySet<string>, end: string, name: string): boolean {
	// Of a name that begins with a dot, the name itself is no name below that.
	const first = name === end ? 1 : 0;
	for (let dot = end.indexOf(".", first); dot >= 0; dot = end.indexOf(".", dot + 1)) {
		if (suffixes.has(end.slice(dot))) {
			return true;
		}
	}
	return false;
}

/** Whether some pattern of a list and a host have a name in common. */
export function someOverlaps(patterns: readonly HostPattern[], host: string): boolean {
	const name = canonicalHost(host);
	if (someCovers(patterns, name)) {
		return true;
	}
	if (!name.startsWith("*")) {
		return false;
	}
	return patterns.length > fewPatterns && name.startsWith("*.")
		? indexOf(patterns).ends.has(name.slice(1))
		: patterns.some((each) => overlaps(each, name));
}
