import type { Alias, Document, Node, ParseOptions, ScalarTag, SchemaOptions, YAMLMap } from "yaml";
import { isAlias, isMap, isScalar, isSeq, visit } from "yaml";

/** Why kubectl cannot make JSON of a document, and at which character. */
export class KubectlRefusal extends Error {
	readonly offset: number;

	constructor(message: string, offset: number) {
		super(message);
		this.name = "KubectlRefusal";
		this.offset = offset;
	}
}

const truths: ReadonlySet<string> = new Set(["y", "yes", "on", "true"]);
const boolean = /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/;
const integer =
	/^(?:[-+]_*)?(?:0_*[xX]_*[0-9a-fA-F][0-9a-fA-F_]*|0_*[oO]_*[0-7][0-7_]*|0_*[bB]_*[01][01_]*|0[0-7_]*|[1-9][0-9_]*)$/;
const real = /^(?:(?:[-+]_*)?[0-9][0-9_]*(?:\.[0-9_]*)?|[-+]?\.[0-9]+)(?:[eE][-+]?[0-9]+)?$/;

/** The value of a plain integer, as Go's strconv.ParseInt reads it with base 0: 0443 is octal. */
function integerOf(text: string): number {
	const plain = text.replaceAll("_", "");
	const digits = plain.replace(/^[-+]/, "");
	const value = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
	return plain.startsWith("-") && value !== 0 ? -value : value;
}

const tag = (name: string, test: RegExp, resolve: ScalarTag["resolve"]): ScalarTag => ({
	tag: `tag:yaml.org,2002:${name}`,
	default: true,
	test,
	resolve,
});

/** What plain words mean to kubectl: YAML 1.1 in the reading of go.yaml.in/yaml/v2, resolve.go. */
const scalarTags: readonly ScalarTag[] = [
	{
		...tag("null", /^(?:~|null|Null|NULL)?$/, () => null),
		identify: (value) => value === null,
		stringify: () => "null",
	},
	{
		...tag("bool", boolean, (text) => truths.has(text.toLowerCase())),
		identify: (value) => typeof value === "boolean",
		stringify: ({ value }) => String(value),
	},
	{
		...tag("int", integer, integerOf),
		identify: (value) => typeof value === "number" && Number.isInteger(value),
		stringify: ({ value }) => String(value),
	},
	{
		...tag("float", real, (text) => {
			const value = Number(text.replaceAll("_", ""));
			return Number.isFinite(value) ? value : text;
		}),
		identify: (value) => typeof value === "number",
		stringify: ({ value }) => String(value),
	},
	tag("float", /^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$/, (_, onError) => {
		onError("No number of JSON: kubectl refuses it");
		return 0;
	}),
];

/** How YAML is read so that every scalar is what kubectl (sigs.k8s.io/yaml) makes of it. */
export const kubectlYaml: ParseOptions & SchemaOptions & { readonly logLevel: "silent" } = {
	logLevel: "silent",
	// Finds what is written twice; kubectl takes the last without a word.
	uniqueKeys: true,
	schema: "failsafe",
	// kubectl knows `<<` too, which YAML 1.2 does not.
	merge: true,
	customTags: (tags) => [...tags, ...scalarTags, "binary"],
};

/** Go's own limits against a few lines that stand for a billion (go.yaml.in/yaml/v2 decode.go, allowedAliasRatio). */
function allowedAliasShare(decoded: number): number {
	if (decoded <= 400_000) {
		return 0.99;
	}
	return decoded >= 4_000_000 ? 0.1 : 0.99 - (0.89 * (decoded - 400_000)) / 3_600_000;
}

/** The API server's JSON reader gives up at 10,000 levels, and nothing that a mesh reads has ten. */
const deepest = 1_000;

/**
 * What kubectl makes of a document, as JSON: names of fields become texts, `<<` overwrites what stands before it, an
 * alias is a copy. Throws a `KubectlRefusal` where kubectl refuses the document.
 */
export function contentOf(document: Document): unknown {
	let targets: ReadonlyMap<Alias, Node> | undefined;
	const open = new Set<Node>();
	let decoded = 0;
	let copied = 0;
	return jsonOf(document.contents, 0);

	function jsonOf(node: unknown, depth: number): unknown {
		count(depth);
		if (isScalar(node)) {
			return Buffer.isBuffer(node.value) ? node.value.toString("utf8") : node.value;
		}
		if (isAlias(node)) {
			return through(node, (target) => jsonOf(target, depth + 1));
		}
		if (isSeq(node)) {
			return node.items.map((item) => jsonOf(item, depth + 1));
		}
		if (!isMap(node)) {
			return null;
		}
		const fields = new Map<string, unknown>();
		fill(fields, node, depth);
		return Object.fromEntries(fields);
	}

	function fill(fields: Map<string, unknown>, map: YAMLMap, depth: number): void {
		for (const { key, value } of map.items) {
			if (isMergeKey(key)) {
				merge(fields, value, depth + 1);
			} else {
				fields.set(nameOf(key), jsonOf(value, depth + 1));
			}
		}
	}

	/** Of several maps the first wins, and all of them over what was written before. */
	function merge(fields: Map<string, unknown>, source: unknown, depth: number): void {
		count(depth);
		if (isAlias(source)) {
			through(source, (target) => {
				if (!isMap(target)) {
					throw new KubectlRefusal("<< takes a map or a list of maps", offsetOf(source));
				}
				fill(fields, target, depth + 1);
			});
		} else if (isMap(source)) {
			fill(fields, source, depth);
		} else if (isSeq(source)) {
			for (const item of source.items.toReversed()) {
				merge(fields, isSeq(item) ? null : item, depth + 1);
			}
		} else {
			throw new KubectlRefusal("<< takes a map or a list of maps", offsetOf(source));
		}
	}

	function through<T>(alias: Alias, read: (target: Node) => T): T {
		targets ??= aliasTargets(document);
		const target = targets.get(alias);
		if (target === undefined) {
			throw new KubectlRefusal(`*${alias.source} names no anchor before it`, offsetOf(alias));
		}
		if (open.has(target) || contains(target, alias)) {
			throw new KubectlRefusal(`&${alias.source} contains itself`, offsetOf(alias));
		}
		open.add(target);
		try {
			return read(target);
		} finally {
			open.delete(target);
		}
	}

	function count(depth: number): void {
		decoded += 1;
		copied += open.size > 0 ? 1 : 0;
		if (copied > 100 && decoded > 1_000 && copied / decoded > allowedAliasShare(decoded)) {
			throw new KubectlRefusal("Too many aliases: the document unfolds without measure", 0);
		}
		if (depth > deepest) {
			throw new KubectlRefusal(`Nested more than ${deepest} levels deep`, 0);
		}
	}

	function nameOf(key: unknown): string {
		if (isAlias(key)) {
			return through(key, nameOf);
		}
		const value: unknown = isScalar(key) ? key.value : undefined;
		if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
			throw new KubectlRefusal("The name of a field must be a text", offsetOf(key));
		}
		return String(value);
	}
}

function isMergeKey(key: unknown): boolean {
	return isScalar(key) && key.type === "PLAIN" && key.source === "<<";
}

function contains(target: Node, alias: Alias): boolean {
	const [start, end] = [target.range?.[0] ?? 0, target.range?.[2] ?? 0];
	const at = offsetOf(alias);
	return at >= start && at < end;
}

function offsetOf(node: unknown): number {
	return isScalar(node) || isAlias(node) || isMap(node) || isSeq(node) ? (node.range?.[0] ?? 0) : 0;
}

/** The node that each alias stands for: the last one before it that bears the anchor. */
function aliasTargets(document: Document): ReadonlyMap<Alias, Node> {
	const anchors = new Map<string, Node>();
	const targets = new Map<Alias, Node>();
	visit(document, {
		Alias: (_, alias) => {
			const target = anchors.get(alias.source);
			if (target !== undefined) {
				targets.set(alias, target);
			}
		},
		Value: (_, node) => {
			if (node.anchor !== undefined) {
				anchors.set(node.anchor, node);
			}
		},
	});
	return targets;
}

/** A plain word that kubectl reads otherwise than YAML 1.2 has it, and what kubectl makes of it. */
export interface DifferingScalar {
	readonly offset: number;
	readonly source: string;
	readonly value: boolean | number;
}

/** The words of a document that mean one thing to kubectl and another to tools that read YAML 1.2. */
export function differingScalars(document: Document): readonly DifferingScalar[] {
	const found: DifferingScalar[] = [];
	visit(document, {
		Scalar: (_, { type, source = "", value, range }) => {
			if (type === "PLAIN" && (typeof value === "boolean" || typeof value === "number")) {
				if (isReadOtherwise(source, value)) {
					found.push({ offset: range?.[0] ?? 0, source, value });
				}
			}
		},
	});
	return found;
}

function isReadOtherwise(source: string, value: boolean | number): boolean {
	if (typeof value === "boolean") {
		return !/^(?:true|false)$/i.test(source);
	}
	return (
		source.includes("_") ||
		/^[-+]?0[bB]|^[-+]0[xXoO]|^0[XO]/.test(source) ||
		(/^[-+]?[0-9]+$/.test(source) && Number(source) !== value)
	);
}
