import type { Path } from "../core/finding.ts";
import { quote } from "../core/finding.ts";
import { fieldsOf, schemaTable } from "./schema.ts";
import type { SchemaFault } from "./schema-faults.ts";
import { builtInFaults } from "./schema-faults.ts";

const subdomain = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const dnsLabel = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const keyName = /^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/;

/** All that the keys and values of an object's annotations may come to, in bytes. */
const annotationBytes = 262_144;

/** What the API server has against the metadata of an object (k8s.io/apimachinery pkg/api/validation/objectmeta.go). */
export function* metadataFaults(object: object, kind: string): Generator<SchemaFault> {
	const { metadata: written } = object as { readonly metadata?: unknown };
	const metadata = fieldsOf(written);
	const faults = [...builtInFaults(written ?? {}, schemaTable().metadata, ["metadata"])];
	yield* faults;
	if (faults.length > 0) {
		return;
	}
	yield* nameFaults(metadata, kind);
	for (const [key, value] of Object.entries(fieldsOf(metadata.labels))) {
		yield* labelFaults(key, value, ["metadata", "labels", key]);
	}
	let bytes = 0;
	for (const [key, value] of Object.entries(fieldsOf(metadata.annotations))) {
		bytes += Buffer.byteLength(key) + Buffer.byteLength(typeof value === "string" ? value : "");
		// Unlike a label's, an annotation's key may have capitals in its prefix.
		if (!isKey(key.toLowerCase())) {
			yield { path: ["metadata", "annotations", key], message: "this is no key of an annotation" };
		}
	}
	if (bytes > annotationBytes) {
		yield {
			path: ["metadata", "annotations"],
			message: `they come to ${bytes} bytes, and ${annotationBytes} are allowed`,
		};
	}
	// The API server sets the generation of a custom resource by itself.
	const isBuiltIn = kind === "Namespace" || kind === "Service";
	if (isBuiltIn && typeof metadata.generation === "number" && metadata.generation < 0) {
		yield {
			path: ["metadata", "generation"],
			message: `${metadata.generation} is too small: 0 is the least`,
		};
	}
	yield* ownerFaults(metadata.ownerReferences);
	yield* finalizerFaults(metadata.finalizers, ["metadata", "finalizers"], isBuiltIn);
}

/** What the API server has against the spec of a Namespace (k8s.io/kubernetes pkg/apis/core/validation, ValidateNamespace). */
export function* namespaceFaults({ spec }: { readonly spec?: unknown }): Generator<SchemaFault> {
	yield* finalizerFaults(fieldsOf(spec).finalizers, ["spec", "finalizers"], true);
}

function* nameFaults(
	{ name, generateName, namespace }: Readonly<Record<string, unknown>>,
	kind: string,
): Generator<SchemaFault> {
	const isNamed = typeof name === "string" && name !== "";
	const isGenerated = typeof generateName === "string" && generateName !== "";
	if (!isNamed && !isGenerated) {
		yield { path: ["metadata", "name"], message: "a name is missing" };
	} else if (isNamed && !isName(name, kind)) {
		yield { path: ["metadata", "name"], message: `${quote(name)} is no name: ${wantedName(kind)}` };
	}
	// Something is put behind it, so that it may end with a hyphen; the API server judges it without that and without the
	// letter before (pkg/api/validation/generic.go, maskTrailingDash).
	const isPrefix = isGenerated && isName(generateName.replace(/[^\u0080-\uffff]-$/, "a"), kind);
	// Five letters are put behind 58 of it (apiserver pkg/storage/names/generate.go), and that is judged, too.
	if (isGenerated && !(isPrefix && (isNamed || isName(`${generateName.slice(0, 58)}aaaaa`, kind)))) {
		yield {
			path: ["metadata", "generateName"],
			message: `${quote(generateName)} begins no name: ${wantedName(kind)}`,
		};
	}
	if (
		typeof namespace === "string" &&
		namespace !== "" &&
		(namespace.length > 63 || !dnsLabel.test(namespace))
	) {
		yield { path: ["metadata", "namespace"], message: `${quote(namespace)} is no name of a namespace` };
	}
}

/** What is wrong with a label (k8s.io/apimachinery pkg/util/validation/validation.go). */
export function* labelFaults(key: string, value: unknown, path: Path): Generator<SchemaFault> {
	if (!isKey(key)) {
		yield { path, message: "this is no key of a label" };
	} else if (typeof value === "string" && value !== "" && (value.length > 63 || !keyName.test(value))) {
		yield {
			path,
			message: `${quote(value)} is no value of a label: at most 63 letters, digits, -, _ and ., a letter or digit at both ends`,
		};
	}
}

function* ownerFaults(owners: unknown): Generator<SchemaFault> {
	const list: readonly unknown[] = Array.isArray(owners) ? owners : [];
	let controllers = 0;
	for (const [index, owner] of list.entries()) {
		const fields = fieldsOf(owner);
		const path = ["metadata", "ownerReferences", index];
		for (const field of ["apiVersion", "kind", "name", "uid"]) {
			const value = fields[field];
			if (
				typeof value !== "string" ||
				value === "" ||
				(field === "apiVersion" && !/^[^/]*(?:\/[^/]+)?$/.test(value))
			) {
				yield {
					path: [...path, field],
					message: value ? `${quote(String(value))} is none` : "this is missing",
				};
			}
		}
		controllers += fields.controller === true ? 1 : 0;
		if (fields.controller === true && controllers > 1) {
			yield { path: [...path, "controller"], message: "only one owner can be the controller" };
		}
		if (fields.apiVersion === "v1" && fields.kind === "Event") {
			yield { path: [...path, "kind"], message: "an Event cannot be an owner" };
		}
	}
}

/** Those that have no domain (k8s.io/kubernetes pkg/apis/core/helper, IsStandardFinalizerName). */
const standardFinalizers: ReadonlySet<unknown> = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

function* finalizerFaults(finalizers: unknown, path: Path, isBuiltIn: boolean): Generator<SchemaFault> {
	const list: readonly unknown[] = Array.isArray(finalizers) ? finalizers : [];
	for (const [index, finalizer] of list.entries()) {
		const name = typeof finalizer === "string" ? finalizer : "";
		const isQualified = !isBuiltIn || name.includes("/") || standardFinalizers.has(name);
		if (!isKey(name) || !isQualified) {
			yield {
				path: [...path, index],
				message: `${quote(String(finalizer))} is no name of a finalizer, such as example.com/name`,
			};
		}
	}
	if (path[0] === "metadata" && list.includes("orphan") && list.includes("foregroundDeletion")) {
		yield {
			path,
			message: "orphan and foregroundDeletion exclude each other",
		};
	}
}

function isName(name: string, kind: string): boolean {
	// A Service's may begin with a digit since Kubernetes 1.36 (RelaxedServiceNameValidation); before, it is refused.
	return kind === "Namespace" || kind === "Service"
		? name.length <= 63 && dnsLabel.test(name)
		: isSubdomain(name);
}

/** Whether a text is a subdomain as RFC 1123 has it, in small letters. */
export function isSubdomain(text: string): boolean {
	return text.length <= 253 && subdomain.test(text);
}

function wantedName(kind: string): string {
	return kind === "Service" || kind === "Namespace"
		? "at most 63 small letters, digits and -"
		: "at most 253 small letters, digits, - and ., a letter or digit at the ends of each part";
}

function isKey(key: string): boolean {
	const slash = key.indexOf("/");
	const [prefix, name] = slash < 0 ? [undefined, key] : [key.slice(0, slash), key.slice(slash + 1)];
	return name.length <= 63 && keyName.test(name) && (prefix === undefined || isSubdomain(prefix));
}
