import type { Finding, Path } from "./finding.ts";

/** What an update adds to what its object reaches. */
export interface Widening {
	/** Any host, address, endpoint or port. */
	readonly any: boolean;
	readonly hosts: boolean;
	/** The rules whose old mistakes are new for what is added; all of them where nothing is said. */
	readonly rules?: ReadonlySet<string>;
}

/**
 * Ratcheting: an update is refused only for what the object that it replaces did not have. A mistake is an old one where
 * its rule found one before and what it is about was there before, however its message reads now: so taking a mistake
 * away never makes another one new. Where the update reaches further, a mistake of the whole object is new for what is
 * added, and for new hosts every mistake is that is not a host's own: an old opt-out, port or endpoint is no way out for
 * other hosts.
 */
export function markInherited(
	findings: readonly Finding[],
	before: readonly Finding[],
	{ object, old, widening }: { readonly object: unknown; readonly old: unknown; readonly widening: Widening },
): readonly Finding[] {
	const errors = before.filter((each) => each.severity === "error");
	const rules = new Set(errors.map((each) => each.rule));
	const wholes = new Set(errors.map((each) => `${each.rule} ${patternOf(each.path)}`));
	const had = new Map<string, ReadonlyMap<string, number>>();
	const used = new Map<string, Map<string, number>>();
	return findings.map((finding) => {
		const { rule, path } = finding;
		if (finding.severity !== "error" || !rules.has(rule) || isNewFor(finding, widening)) {
			return finding;
		}
		const pattern = patternOf(path);
		const [about = ""] = thingsAt(object, path, true);
		if (about === whole) {
			return wholes.has(`${rule} ${pattern}`) ? { ...finding, inherited: true } : finding;
		}
		let counts = had.get(pattern);
		if (counts === undefined) {
			counts = countsOf(thingsAt(old, path, false));
			had.set(pattern, counts);
		}
		const key = `${rule} ${pattern} ${about}`;
		// Two mistakes of one thing count it once.
		const places = used.get(key) ?? new Map<string, number>();
		const place = JSON.stringify(path);
		places.set(place, places.get(place) ?? places.size + 1);
		used.set(key, places);
		return (places.get(place) ?? 0) <= (counts.get(about) ?? 0) ? { ...finding, inherited: true } : finding;
	});
}

function isNewFor({ rule, path }: Finding, widening: Widening): boolean {
	if (widening.rules?.has(rule) === false) {
		return false;
	}
	const isHost = path[0] === "spec" && path[1] === "hosts" && path.length === 3;
	return (widening.hosts && !isHost) || (widening.any && path.every((step) => typeof step === "string"));
}

/**
 * What a finding is about, wherever it stands in a list: its field with every index left open, and what is written there,
 * with what tells the items on the way apart. The same for an object whose other items come, go or change places.
 */
export function aboutOf(object: unknown, path: Path): string {
	const [about = ""] = thingsAt(object, path, true);
	return `${patternOf(path)} ${about}`;
}

/** A path with every index left open: the same place of another item of a list is the same place. */
function patternOf(path: Path): string {
	return JSON.stringify(path.map((step) => (typeof step === "number" ? 0 : step)));
}

// No JSON text.
const whole = "whole";

/**
 * What stands at a path, as texts: the value, with what tells apart the items of lists on the way; `whole` for a list, a
 * map or nothing. At the indices of the path alone (`exactly`), or at all of them.
 */
function* thingsAt(value: unknown, path: Path, exactly: boolean, way = ""): Iterable<string> {
	const [step, ...rest] = path;
	if (step === undefined) {
		const isItem = way !== "";
		const isLeaf = isItem || (typeof value !== "object" && value !== undefined);
		yield isLeaf ? `${way}${leafOf(value)}` : whole;
		return;
	}
	const parent =
		typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
	if (typeof step !== "number") {
		yield* thingsAt(Object.hasOwn(parent, step) ? parent[step] : undefined, rest, exactly, way);
		return;
	}
	const items = Array.isArray(value) ? (exactly ? value.slice(step, step + 1) : value) : [];
	for (const item of items) {
		yield* thingsAt(item, rest, exactly, `${way}${keyOf(item)} ${rest[0] === "number" ? spoken(item) : ""}`);
	}
}

function leafOf(value: unknown): string {
	// The API server prunes a null, so it is the same as nothing.
	return typeof value === "object" ? "" : (JSON.stringify(value) ?? "");
}

/** What tells an item of a list apart from the others, wherever it stands: a port's number, an endpoint's address, a name. */
function keyOf(item: unknown): string {
	if (typeof item !== "object" || item === null) {
		return JSON.stringify(item) ?? "";
	}
	const { number, address, name } = item as Readonly<Record<string, unknown>>;
	return JSON.stringify(leafOf(number ?? address ?? name));
}

/** A port that speaks another protocol is another port, where the port itself is the mistake. */
function spoken(port: unknown): string {
	const { protocol } = (port ?? {}) as { readonly protocol?: unknown };
	return `${leafOf(protocol)} `;
}

function countsOf(things: Iterable<string>): ReadonlyMap<string, number> {
	const counts = new Map<string, number>();
	for (const thing of things) {
		counts.set(thing, (counts.get(thing) ?? 0) + 1);
	}
	return counts;
}
