import { closest } from "../core/closest.ts";
import type { Path } from "../core/finding.ts";
import { formatPath, mention, quote } from "../core/finding.ts";
import { metadataFaults, namespaceFaults } from "./metadata-faults.ts";
import type { Manifest, Unreadable } from "./read.ts";
import type { SchemaRow } from "./schema.ts";
import { fieldsOf, nodeAt, schemaTable } from "./schema.ts";
import type { SchemaFault } from "./schema-faults.ts";
import { builtInFaults, schemaFaults } from "./schema-faults.ts";
import { serviceFaults } from "./service-faults.ts";

/** More of them are one mistake, such as an object of another kind. */
const mostRefusals = 8;

/**
 * Why the API server refuses an object before any webhook sees it: fields that its schema does not have (strict field
 * validation, which kubectl asks for), values that it does not allow, a version that is not served, names and labels of a
 * wrong form. What is said of these places already is left out.
 */
export function refusalsOf(manifest: Manifest, said: readonly Path[] = []): readonly Unreadable[] {
	const { object, kind, file } = manifest;
	const refusals = [...versionRefusals(object), ...fieldRefusals(object)];
	if (kind !== undefined || refusals.length > 0 || rowOf(object) !== undefined) {
		refusals.push(...metadataFaults(object, kind ?? ""));
	}
	return refusals
		.filter(
			({ path, isUnknown }) =>
				!said.some(
					(other) =>
						isWithin(other, path) ||
						(isWithin(path, other) && (isUnknown !== true || path.length === other.length)),
				),
		)
		.slice(0, mostRefusals)
		.map(({ path, message }) => ({
			file,
			line: manifest.position(path).line,
			message: `${formatPath(path)}: ${message}; the API server refuses this ${mention(textOf(object.kind))}`,
		}));
}

function isWithin(path: Path, whole: Path): boolean {
	return whole.length > 0 && whole.every((part, index) => part === path[index]);
}

function textOf(value: unknown): string {
	return typeof value === "string" ? value : "object";
}

function groupAndVersion(apiVersion: unknown): readonly [group: string, version: string] {
	const [first = "", second] = typeof apiVersion === "string" ? apiVersion.split("/") : [];
	return second === undefined ? ["", first] : [first, second];
}

function rowOf(object: object): SchemaRow | undefined {
	const { apiVersion, kind } = object as { readonly apiVersion?: unknown; readonly kind?: unknown };
	if (!isText(apiVersion)) {
		return undefined;
	}
	const [group] = groupAndVersion(apiVersion);
	const { kinds } = schemaTable();
	const key = `${group}/${textOf(kind)}`;
	return Object.hasOwn(kinds, key) ? kinds[key] : undefined;
}

/** Groups in which nobody but Kubernetes, Istio and the Gateway API defines kinds. */
const ownedGroup =
	/^(?:|apps|extensions|networking\.k8s\.io|(?:[a-z.-]+\.)?istio\.io|gateway\.networking(?:\.x-k8s|\.k8s)?\.io)$/;

function* versionRefusals(object: object): Generator<SchemaFault> {
	const { apiVersion, kind } = object as { readonly apiVersion?: unknown; readonly kind?: unknown };
	const path = ["apiVersion"];
	if (!isText(kind) || !isText(apiVersion)) {
		yield* missingRefusals(object);
		return;
	}
	const [group, version] = groupAndVersion(apiVersion);
	const row = rowOf(object);
	if (row !== undefined && apiVersion.split("/").length > 2) {
		yield { path, message: `${quote(apiVersion)} is none: a group, a slash and a version belong here` };
		return;
	}
	if (row !== undefined) {
		const served = Object.keys(row.versions);
		if (!served.includes(version)) {
			yield {
				path,
				message: `${quote(apiVersion)} is not served; write ${served.map((each) => `${group}/${each}`).join(" or ")}`,
			};
		}
		return;
	}
	const groups = Object.keys(schemaTable().kinds)
		.filter((key) => key.endsWith(`/${kind}`))
		.map((key) => key.slice(0, -kind.length - 1));
	if (groups.length > 0 && ownedGroup.test(group)) {
		const written = groups.map((each) => `${each}/${firstVersion(`${each}/${kind}`)}`);
		yield { path, message: `${quote(apiVersion)} has no kind ${kind}; write ${written.join(" or ")}` };
	} else if (groups.length === 0) {
		yield* spellingRefusals(group, kind);
	}
}

function isText(value: unknown): value is string {
	return typeof value === "string" && value !== "";
}

/**
 * Files of other programs have a kind or a version, too: only the kinds and groups of a mesh are told, and those of the core
 * group where there is metadata, which a chart has not.
 */
function* missingRefusals(object: object): Generator<SchemaFault> {
	const { apiVersion, kind, metadata } = object as Readonly<Record<string, unknown>>;
	const isObject = fieldsOf(metadata) === metadata;
	const keys = Object.keys(schemaTable().kinds).filter((each) => isObject || !each.startsWith("/"));
	const [group] = groupAndVersion(apiVersion);
	if (isText(kind)) {
		const owners = keys.filter((key) => key.endsWith(`/${kind}`));
		if (owners.length > 0) {
			const written = owners.map((key) =>
				`${key.slice(0, -kind.length - 1)}/${firstVersion(key)}`.replace(/^\//, ""),
			);
			yield { path: ["apiVersion"], message: `is missing; write ${written.join(" or ")}` };
		}
	} else if (isText(apiVersion) && keys.some((key) => key.startsWith(`${group}/`))) {
		yield { path: ["kind"], message: `is missing; write which of ${quote(apiVersion)} it is` };
	}
}

function isListOf(kind: string, names: readonly string[]): boolean {
	return kind.endsWith("List") && names.includes(kind.slice(0, -"List".length));
}

/** A kind that only looks like one of its group: in other letters, with characters that nobody sees, or misspelt. */
function* spellingRefusals(group: string, kind: string): Generator<SchemaFault> {
	const names = Object.keys(schemaTable().kinds)
		.filter((key) => key.startsWith(`${group}/`))
		.map((key) => key.slice(group.length + 1));
	// Other groups have, or had, kinds that are not known here.
	const isWhole = group.endsWith(".istio.io") && kind.length <= 64 && !isListOf(kind, names);
	const known =
		names.find((each) => lettersOf(each) === lettersOf(kind)) ?? (isWhole ? closest(kind, names) : undefined);
	if (known !== undefined) {
		yield { path: ["kind"], message: `${quote(kind)} is no kind; write ${known}` };
	}
}

/** What is left of a name without case, signs and forms of letters. */
function lettersOf(name: string): string {
	return name
		.slice(0, 64)
		.normalize("NFKC")
		.replaceAll(/[^A-Za-z]/g, "")
		.toLowerCase();
}

function firstVersion(key: string): string {
	const versions = Object.keys(schemaTable().kinds[key]?.versions ?? {});
	return versions.includes("v1") ? "v1" : (versions[0] ?? "v1");
}

function* fieldRefusals(object: object): Generator<SchemaFault> {
	const row = rowOf(object);
	const [, version] = groupAndVersion((object as { readonly apiVersion?: unknown }).apiVersion);
	const place = row?.versions[version];
	if (row === undefined || place === undefined) {
		return;
	}
	const { apiVersion: _, kind, metadata, ...own } = fieldsOf(object);
	const unknown = [
		...unknownFields(own, place, []),
		...unknownFields(metadata, schemaTable().metadata, ["metadata"]),
	];
	yield* unknown;
	// A field that is missing may be one of them under its right name.
	if (unknown.length > 0) {
		return;
	}
	if (row.builtIn === true) {
		const faults = [...builtInFaults(own, place, [])];
		yield* faults;
		if (faults.length === 0) {
			yield* kind === "Service" ? serviceFaults(own) : namespaceFaults(own);
		}
		return;
	}
	const { status, ...judged } = own;
	yield* schemaFaults(row.status === true ? judged : own, place);
}

function* unknownFields(value: unknown, place: number, path: Path): Generator<SchemaFault> {
	const node = nodeAt(place);
	if (Array.isArray(value)) {
		for (const [index, item] of node.item === undefined ? [] : value.entries()) {
			yield* unknownFields(item, node.item ?? 0, [...path, index]);
		}
		return;
	}
	if (node.type !== "object") {
		return;
	}
	const names = Object.keys(node.fields ?? {});
	for (const [field, item] of Object.entries(fieldsOf(value))) {
		const inner =
			node.fields !== undefined && Object.hasOwn(node.fields, field) ? node.fields[field] : node.value;
		if (inner !== undefined) {
			yield* unknownFields(item, inner, [...path, field]);
		} else if (node.keep !== true) {
			yield unknownField([...path, field], names);
		}
	}
}

function unknownField(path: Path, fields: readonly string[]): SchemaFault {
	const written = String(path.at(-1));
	const plain = (name: string): string => name.replaceAll(/[^A-Za-z0-9]/g, "").toLowerCase();
	const meant =
		fields.find((field) => plain(field) === plain(written)) ??
		(written.length <= 64 ? closest(written, fields.slice(0, 64)) : undefined);
	return {
		path,
		isUnknown: true,
		message: `there is no such field${meant === undefined ? "" : `; did you mean ${quote(meant)}`}`,
	};
}
