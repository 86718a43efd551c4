import { celPattern } from "../../core/cel.ts";
/** Why a name is refused: istiod's own words, and ours. */
export interface NameFault {
	readonly istiodMessage: string;
	/** Goes on after the name: "has a label that …". */
	readonly reason: string;
}

const label = "[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?";
const labelForm = new RegExp(`^${label}$`);
const wildcardLabelForm = new RegExp(`^(?:\\*|(?:\\*|\\*-)?${label})$`);

/** Whether text is one DNS label of at most 63 characters, in any case (Istio pkg/config/labels/instance.go). */
export function isDnsLabel(text: string): boolean {
	return text.length <= 63 && labelForm.test(text);
}

/** Whether a host stands for many: Istio looks at its first character only (Istio pkg/config/host/name.go). */
export function isWildcard(host: string): boolean {
	return host.startsWith("*");
}

/** The wildcards that stand for a host too, the nearest first: `*.b.c` and `*.c` for a.b.c and for *.a.b.c. */
export function wildcardsAbove(host: string): readonly string[] {
	const above: string[] = [];
	// No name of the DNS is longer, and each label of a longer one would cost a copy of the rest.
	if (host.length > 255) {
		return above;
	}
	for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
		const wildcard = `*${host.slice(dot)}`;
		if (wildcard !== host) {
			above.push(wildcard);
		}
	}
	return above;
}

/** What istiod finds wrong with a fully qualified name (Istio pkg/config/validation/agent: ValidateFQDN). */
export function findFqdnFault(name: string): NameFault | undefined {
	return findLengthFault(name) ?? findLabelFault(name);
}

/** As `findFqdnFault`, with a wildcard allowed in the first label (ValidateWildcardDomain of the same file). */
export function findHostFault(name: string): NameFault | undefined {
	const length = findLengthFault(name);
	if (length !== undefined) {
		return length;
	}
	const dot = name.indexOf(".");
	const first = dot < 0 ? name : name.slice(0, dot);
	if (first.length > 63 || !wildcardLabelForm.test(first)) {
		return badLabel(name, first);
	}
	return dot < 0 ? undefined : findLabelFault(name.slice(dot + 1));
}

function findLengthFault(name: string): NameFault | undefined {
	// No code unit takes more than three bytes, so most names need not be encoded.
	if (name.length > 85 && utf8Length(name) > 255) {
		return {
			istiodMessage: `domain name ${goQuote(name)} too long (max 255)`,
			reason: "is longer than the 255 bytes that a domain name may have",
		};
	}
	return name === "" ? { istiodMessage: "empty domain name not allowed", reason: "is empty" } : undefined;
}

function findLabelFault(name: string): NameFault | undefined {
	const parts = name.split(".");
	const last = parts.at(-1) ?? "";
	if (isGoInteger(last)) {
		return {
			istiodMessage: `domain name ${goQuote(name)} invalid (top level domain ${goQuote(last)} cannot be all-numeric)`,
			reason: `ends in the number ${last}, as no domain name and every IPv4 address does`,
		};
	}
	for (const [index, part] of parts.entries()) {
		// A trailing dot is allowed.
		if (index === parts.length - 1 && part === "") {
			return undefined;
		}
		if (!isDnsLabel(part)) {
			return badLabel(name, part);
		}
	}
	return undefined;
}

function badLabel(name: string, part: string): NameFault {
	return {
		istiodMessage: `domain name ${goQuote(name)} invalid (label ${goQuote(part)} invalid)`,
		reason: reasonOf(part),
	};
}

function reasonOf(part: string): string {
	if (part === "") {
		return "has an empty label: two dots in a row, or a dot at the start";
	}
	if (part.length > 63) {
		return "has a label of more than 63 characters";
	}
	if (part.includes("*")) {
		return "has a * elsewhere than alone in the first label";
	}
	if (part.includes("_")) {
		return "has an underscore, which a host name must not have";
	}
	return "has a label that is not made of letters, digits and inner hyphens";
}

/** Whether Go's strconv.Atoi reads a text: a sign is allowed, a number beyond 64 bits is not. */
export function isGoInteger(text: string): boolean {
	return (
		text.length <= 255 &&
		/^[+-]?[0-9]+$/.test(text) &&
		BigInt.asIntN(64, BigInt(text.replace("+", ""))) === BigInt(text.replace("+", ""))
	);
}

/** Quotes as Go's %q does, near enough to be compared with istiod's messages. */
export function goQuote(text: string): string {
	return JSON.stringify(text);
}

function utf8Length(text: string): number {
	return new TextEncoder().encode(text).length;
}

const qualifiedName = "(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const labelKeyForm = new RegExp(`^(${label}(?:\\.${label})*/)?(${qualifiedName})$`);
const labelValueForm = new RegExp(`^(?:${qualifiedName})?$`);

/** What istiod finds wrong with a label's key and its value (Istio pkg/config/labels/instance.go: Validate). */
export function findLabelFaults(key: string, value: string): readonly NameFault[] {
	const faults: NameFault[] = [];
	const match = labelKeyForm.exec(key);
	if (match === null) {
		faults.push({
			istiodMessage: `invalid tag key: ${goQuote(key)}`,
			reason: "has a key that is not a label key",
		});
	} else if ((match[1]?.length ?? 0) - 1 > 253) {
		faults.push({
			istiodMessage: `invalid tag key: ${goQuote(key)} (DNS prefix is too long)`,
			reason: "has a key whose part before the / is longer than 253 characters",
		});
	} else if ((match[2]?.length ?? 0) > 63) {
		faults.push({
			istiodMessage: `invalid tag key: ${goQuote(key)} (name is too long)`,
			reason: "has a key whose name is longer than 63 characters",
		});
	}
	if (!labelValueForm.test(value)) {
		faults.push({
			istiodMessage: `invalid tag value: ${goQuote(value)}`,
			reason: "has a value that is not a label value",
		});
	}
	return faults;
}

const celHostForm = celPattern(
	"^([*]|([*]|[*]-)?[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)([.][a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*[.]?$",
);

/** Whether istiod takes a text for a host's name, as `findHostFault` says, in CEL. */
export function celIsHostName(host: string): string {
	return `(${host}.size() < 256 && ${host}.matches(${celHostForm}) && !${host}.matches('[.][0-9]{1,18}$'))`;
}
