import type { AnyObject, Kind } from "../../core/kinds.ts";
import { conformsToKind, kinds } from "../../core/kinds.ts";
import { conforming, pick } from "../../core/shape.ts";

/** Turns an object of the API server into what the world keeps of it; undefined when it is none. */
export type Projection = (raw: unknown, version: string) => AnyObject | undefined;

/**
 * Kinds of which rules read the metadata only, so that lists and watches may ask for nothing else
 * (`PartialObjectMetadata`); `status.phase` of a Namespace says no more than its `deletionTimestamp`.
 */
export const metadataOnlyKinds: ReadonlySet<Kind> = new Set<Kind>(["Namespace"]);

/**
 * Shares equal strings of one world: hosts, label values and namespaces repeat thousands of times. Bounded, because
 * what it has seen outlives the objects: when full it starts anew, which only costs sharing.
 */
export function stringPool(limit = 4096): (text: string) => string {
	let seen = new Map<string, string>();
	return (text) => {
		if (text.length > 256) {
			return text;
		}
		const known = seen.get(text);
		if (known !== undefined) {
			return known;
		}
		if (seen.size >= limit) {
			seen = new Map();
		}
		seen.set(text, text);
		return text;
	};
}

// Others' annotations (last-applied-configuration above all) are larger than all that rules read.
const annotationDomains = /(^|\.)(istio\.io|waymark\.dev|gateway\.networking\.k8s\.io)\//;

/** The projection of a kind: the fields that its shape names, with shared strings and our kind's apiVersion. */
export function projectionOf<K extends Kind>(kind: K, keep: (text: string) => string): Projection {
	const { group, kind: kindName, shape } = kinds[kind];
	return (raw, version) => {
		if (!isNamed(raw)) {
			return undefined;
		}
		const kept: { -readonly [Field in keyof AnyObject]: AnyObject[Field] } = pick(raw, shape, keep);
		// Items of a list may lack both, and PartialObjectMetadata calls itself so.
		kept.apiVersion = keep(group === "" ? version : `${group}/${version}`);
		kept.kind = kindName;
		const annotations = kept.metadata?.annotations;
		if (annotations !== undefined && annotations !== null) {
			const ours = Object.entries(annotations).filter(([key]) => annotationDomains.test(key));
			kept.metadata = { ...kept.metadata, annotations: Object.fromEntries(ours) };
		}
		// A CRD without a schema lets anything in, and none holds every status: what has the shape is kept.
		return conformsToKind(kind, kept) ? kept : (conforming(kept, shape) as AnyObject);
	};
}

function isNamed(raw: unknown): raw is AnyObject {
	if (typeof raw !== "object" || raw === null) {
		return false;
	}
	const { metadata } = raw as AnyObject;
	return typeof metadata?.name === "string" && metadata.name !== "";
}
