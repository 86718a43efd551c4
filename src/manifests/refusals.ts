import { closest } from "../core/closest.ts";
import type { Path } from "../core/finding.ts";
import { formatPath, mention, quote } from "../core/finding.ts";
import { fieldTableText } from "./field-table.ts";
import type { Manifest, Unreadable } from "./read.ts";

/** 0 where anything may stand, [n] for a list, [n, 1] for a map, and the fields else; n is the place of another node. */
type TableNode = 0 | readonly [number] | readonly [number, 1] | Readonly<Record<string, number>>;

interface FieldTable {
	readonly kinds: Readonly<
		Record<string, { readonly namespaced: boolean; readonly versions: Readonly<Record<string, number>> }>
	>;
	readonly nodes: readonly TableNode[];
}

let parsed: FieldTable | undefined;

function fieldTable(): FieldTable {
	parsed ??= JSON.parse(fieldTableText) as FieldTable;
	return parsed;
}

/** The fields of metadata (k8s.io/apimachinery pkg/apis/meta/v1/types.go, ObjectMeta). */
const metadataFields: readonly string[] = [
	"name",
	"generateName",
	"namespace",
	"selfLink",
	"uid",
	"resourceVersion",
	"generation",
	"creationTimestamp",
	"deletionTimestamp",
	"deletionGracePeriodSeconds",
	"labels",
	"annotations",
	"ownerReferences",
	"finalizers",
	"managedFields",
];

/** More of them are one mistake, such as an object of another kind. */
const mostRefusals = 8;

interface Refusal {
	readonly path: Path;
	readonly message: string;
}

/**
 * Why the API server refuses an object before any webhook sees it: fields that its CRD does not have (strict field
 * validation, which kubectl asks for), a version that is not served, names and labels of a wrong form.
 */
export function refusalsOf(manifest: Manifest): readonly Unreadable[] {
	const { object, kind, file } = manifest;
	const refusals = [...versionRefusals(object), ...fieldRefusals(object)];
	if (kind !== undefined || refusals.length > 0 || isInTable(object)) {
		refusals.push(...nameRefusals(object, kind ?? ""));
	}
	return refusals.slice(0, mostRefusals).map(({ path, message }) => ({
		file,
		line: manifest.position(path).line,
		message: `${formatPath(path)}: ${message}; the API server refuses this ${mention(textOf(object.kind))}`,
	}));
}

function textOf(value: unknown): string {
	return typeof value === "string" ? value : "object";
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value)
		? (value as Readonly<Record<string, unknown>>)
		: {};
}

function groupAndVersion(apiVersion: unknown): readonly [group: string, version: string] {
	const [first = "", second] = typeof apiVersion === "string" ? apiVersion.split("/") : [];
	return second === undefined ? ["", first] : [first, second];
}

function rowOf(object: object): FieldTable["kinds"][string] | undefined {
	const { apiVersion, kind } = object as { readonly apiVersion?: unknown; readonly kind?: unknown };
	const [group] = groupAndVersion(apiVersion);
	const { kinds } = fieldTable();
	const key = `${group}/${textOf(kind)}`;
	return Object.hasOwn(kinds, key) ? kinds[key] : undefined;
}

function isInTable(object: object): boolean {
	return rowOf(object) !== undefined;
}

/** Groups in which nobody but Kubernetes, Istio and the Gateway API defines kinds. */
const ownedGroup =
	/^(?:|apps|extensions|networking\.k8s\.io|(?:[a-z.-]+\.)?istio\.io|gateway\.networking(?:\.x-k8s|\.k8s)?\.io)$/;

function* versionRefusals(object: object): Generator<Refusal> {
	const { apiVersion, kind } = object as { readonly apiVersion?: unknown; readonly kind?: unknown };
	const path = ["apiVersion"];
	if (typeof kind !== "string" || typeof apiVersion !== "string") {
		return;
	}
	const [group, version] = groupAndVersion(apiVersion);
	const row = rowOf(object);
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
	const groups = Object.keys(fieldTable().kinds)
		.filter((key) => key.endsWith(`/${kind}`))
		.map((key) => key.slice(0, -kind.length - 1));
	if (groups.length > 0 && ownedGroup.test(group)) {
		const written = groups.map((each) => `${each}/${firstVersion(`${each}/${kind}`)}`);
		yield { path, message: `${quote(apiVersion)} has no kind ${kind}; write ${written.join(" or ")}` };
	}
}

function firstVersion(key: string): string {
	const versions = Object.keys(fieldTable().kinds[key]?.versions ?? {});
	return versions.includes("v1") ? "v1" : (versions[0] ?? "v1");
}

function* fieldRefusals(object: object): Generator<Refusal> {
	const row = rowOf(object);
	const [, version] = groupAndVersion((object as { readonly apiVersion?: unknown }).apiVersion);
	const place = row?.versions[version];
	if (place === undefined) {
		return;
	}
	const { apiVersion: _, kind: __, metadata, ...own } = fieldsOf(object);
	yield* unknownFields(own, place, []);
	for (const field of Object.keys(fieldsOf(metadata))) {
		if (!metadataFields.includes(field)) {
			yield unknownField(["metadata", field], metadataFields);
		}
	}
}

function* unknownFields(value: unknown, place: number, path: Path): Generator<Refusal> {
	const node = fieldTable().nodes[place] ?? 0;
	if (node === 0) {
		return;
	}
	if (Array.isArray(node)) {
		const [inner = 0, isMap] = node as readonly number[];
		const entries =
			isMap === 1 ? Object.entries(fieldsOf(value)) : Array.isArray(value) ? value.entries() : [];
		for (const [key, item] of entries as Iterable<readonly [string | number, unknown]>) {
			yield* unknownFields(item, inner, [...path, key]);
		}
		return;
	}
	const fields = node as Readonly<Record<string, number>>;
	for (const [field, item] of Object.entries(fieldsOf(value))) {
		const inner = Object.hasOwn(fields, field) ? fields[field] : undefined;
		if (inner === undefined) {
			yield unknownField([...path, field], Object.keys(fields));
		} else {
			yield* unknownFields(item, inner, [...path, field]);
		}
	}
}

function unknownField(path: Path, fields: readonly string[]): Refusal {
	const written = String(path.at(-1));
	const plain = (name: string): string => name.replaceAll(/[^A-Za-z0-9]/g, "").toLowerCase();
	const meant =
		fields.find((field) => plain(field) === plain(written)) ??
		(written.length <= 64 ? closest(written, fields.slice(0, 64)) : undefined);
	return {
		path,
		message: `there is no such field${meant === undefined ? "" : `; did you mean ${quote(meant)}`}`,
	};
}

const subdomain = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const dnsLabel = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const serviceLabel = /^[a-z]([a-z0-9-]*[a-z0-9])?$/;
const keyName = /^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/;

/** The forms of names, labels and annotations (k8s.io/apimachinery pkg/util/validation/validation.go). */
function* nameRefusals(object: object, kind: string): Generator<Refusal> {
	const metadata = fieldsOf((object as { readonly metadata?: unknown }).metadata);
	const { name, generateName, namespace, labels, annotations } = metadata;
	const isNamed = typeof name === "string" && name !== "";
	if (!isNamed && (typeof generateName !== "string" || generateName === "")) {
		yield { path: ["metadata", "name"], message: "a name is missing" };
	} else if (isNamed && !isName(name, kind)) {
		yield { path: ["metadata", "name"], message: `${quote(name)} is no name: ${wantedName(kind)}` };
	}
	if (
		typeof namespace === "string" &&
		namespace !== "" &&
		(namespace.length > 63 || !dnsLabel.test(namespace))
	) {
		yield { path: ["metadata", "namespace"], message: `${quote(namespace)} is no name of a namespace` };
	}
	for (const [key, value] of Object.entries(fieldsOf(labels))) {
		if (!isKey(key)) {
			yield { path: ["metadata", "labels", key], message: "this is no key of a label" };
		} else if (typeof value === "string" && value !== "" && (value.length > 63 || !keyName.test(value))) {
			yield {
				path: ["metadata", "labels", key],
				message: `${quote(value)} is no value of a label: at most 63 letters, digits, -, _ and ., a letter or digit at both ends`,
			};
		}
	}
	for (const key of Object.keys(fieldsOf(annotations))) {
		// Unlike a label's, an annotation's key may have capitals in its prefix.
		if (!isKey(key.toLowerCase())) {
			yield { path: ["metadata", "annotations", key], message: "this is no key of an annotation" };
		}
	}
}

function isName(name: string, kind: string): boolean {
	if (kind === "Service") {
		return name.length <= 63 && serviceLabel.test(name);
	}
	return kind === "Namespace"
		? name.length <= 63 && dnsLabel.test(name)
		: name.length <= 253 && subdomain.test(name);
}

function wantedName(kind: string): string {
	return kind === "Service" || kind === "Namespace"
		? "at most 63 small letters, digits and -"
		: "at most 253 small letters, digits, - and ., a letter or digit at the ends of each part";
}

function isKey(key: string): boolean {
	const slash = key.lastIndexOf("/");
	const [prefix, name] = slash < 0 ? [undefined, key] : [key.slice(0, slash), key.slice(slash + 1)];
	return (
		name.length <= 63 &&
		keyName.test(name) &&
		(prefix === undefined || (prefix.length <= 253 && subdomain.test(prefix)))
	);
}
