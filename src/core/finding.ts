/** How bad a finding is: an `error` can deny, a `warning` is shown, an `info` is only reported. */
export type Severity = "error" | "warning" | "info";

/** Where a field is: `["spec", "hosts", 0]`. */
export type Path = readonly (string | number)[];

/** The wish of a fix; `patch.ts` turns it into JSON Patch operations that always apply. */
export type Edit =
	| { readonly op: "set"; readonly path: Path; readonly value: unknown }
	| { readonly op: "remove"; readonly path: Path };

/** What a rule says: what is wrong at a path, how to fix it (`hint`), and the edits that fix it (`fix`). */
export interface Problem {
	readonly path: Path;
	readonly message: string;
	readonly hint?: string;
	readonly fix?: readonly Edit[];
	/** Overrides the rule's severity where the same mistake weighs differently; never raises it above the rule's. */
	readonly severity?: Severity;
}

/** A problem with the rule that found it and its severity in this cluster. */
export interface Finding extends Problem {
	readonly rule: string;
	readonly severity: Severity;
	/** The object that is replaced by this update already had it, so it cannot deny (ratcheting). */
	readonly inherited?: true;
	/** The exemption of the namespace that turned an error into this warning. */
	readonly exemption?: string;
}

/** Names whom a configuration names where a rule sends its reader to the security team. */
export function withContact(hint: string, contact: string): string {
	return hint.replaceAll("the security team", () => contact);
}

const nameLike = /^[A-Za-z0-9._/-]{1,253}$/;
const plainName = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** Writes a path the way people write it: `spec.hosts[0]`, `metadata.labels["istio.io/use-waypoint"]`. */
export function formatPath(path: Path): string {
	let text = "";
	for (const step of path) {
		if (typeof step === "number") {
			text += `[${step}]`;
		} else if (plainName.test(step) && step.length <= longestKey) {
			text += text === "" ? step : `.${step}`;
		} else {
			text += `[${keyText(step)}]`;
		}
	}
	return text;
}

/** A label's key is no longer: a prefix of 253 characters, a slash and a name of 63. */
const longestKey = 317;

/** A key as one line of printable characters, whatever somebody wrote. */
function keyText(key: string): string {
	const short = key.length > longestKey ? `${key.slice(0, 60).replace(halfCharacter, "")}…` : key;
	return JSON.stringify(short).replace(unprintable, (found) =>
		Array.from(
			{ length: found.length },
			(_, index) => `\\u${found.charCodeAt(index).toString(16).padStart(4, "0")}`,
		).join(""),
	);
}

/** Writes a path as a JSON Pointer (RFC 6901): `/metadata/labels/istio.io~1use-waypoint`. */
export function jsonPointer(path: Path): string {
	let pointer = "";
	for (const step of path) {
		pointer += `/${typeof step === "number" ? step : step.replaceAll("~", "~0").replaceAll("/", "~1")}`;
	}
	return pointer;
}

/** Control characters, line separators and bidirectional overrides, which would forge log lines or hide text. */
export const unprintable: RegExp = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

// Cutting a text may leave the first half of a character that UTF-16 writes as two.
const halfCharacter = /[\uD800-\uDBFF]$/;

/** Mentions a name in a message: as it is where it looks like a name, quoted where a manifest put something else there. */
export function mention(name: string): string {
	return nameLike.test(name) ? name : quote(name);
}

/** Whether a text is safe to print as it is, even in a command that a person may copy. */
export function isNameLike(text: string): boolean {
	return nameLike.test(text);
}

/** Quotes a value that a user chose for use in a message: one line, printable, at most `limit` characters. */
export function quote(value: unknown, limit = 80): string {
	const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
	const clean = text.replace(unprintable, "\u{FFFD}");
	return `"${clean.length > limit ? `${clean.slice(0, limit - 1).replace(halfCharacter, "")}…` : clean}"`;
}
