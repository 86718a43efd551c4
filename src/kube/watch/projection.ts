import type { AnyObject, Kind } from "../../core/kinds.ts";
import { conformsToKind, kinds } from "../../core/kinds.ts";
import type { Shape } from "../../core/shape.ts";
import { conforming, pick } from "../../core/shape.ts";
import { firstOf, mostKeptBytes, weightOf } from "../../core/weight.ts";
import type { SharedValues } from "./shared-values.ts";
import { createSharedValues, nothingShared } from "./shared-values.ts";

/** Turns an object of the API server into what the world keeps of it; undefined when it is none. */
export type Projection = (raw: unknown, version: string) => AnyObject | undefined;

/**
 * Kinds of which rules read the metadata only, so that lists and watches may ask for nothing else
 * (`PartialObjectMetadata`); `status.phase` of a Namespace says no more than its `deletionTimestamp`.
 */
export const metadataOnlyKinds: ReadonlySet<Kind> = new Set<Kind>(["Namespace"]);

// Others' annotations (last-applied-configuration above all) are larger than all that rules read.
const annotationDomains = /(^|\.)(istio\.io|waymark\.dev|gateway\.networking\.k8s\.io)\//;

/**
 * How much is kept: everything, for who judges the objects once; or, in a process that lives with them, what is not too
 * heavy, and while memory is tight only light objects whole.
 */
export interface Keeping {
	readonly shared: SharedValues;
	readonly limitBytes: () => number;
}

/** Keeps everything that is read. */
export function keepWhole(shared: SharedValues = nothingShared): Keeping {
	return { shared, limitBytes: () => Number.POSITIVE_INFINITY };
}

/** Keeps what is not too heavy and, while more than a budget of bytes is kept, only light objects whole. */
export function keepBounded(budgetBytes: number, usedBytes: () => number): Keeping {
	// What is remembered for sharing, at a kilobyte a pair of values, may take an eighth of the budget.
	const shared = createSharedValues(Math.min(16_384, Math.ceil(budgetBytes / 8192)));
	return { shared, limitBytes: () => (usedBytes() > budgetBytes ? lightBytes : mostKeptBytes) };
}

/**
 * The projection of a kind: the fields that its shape names, with shared values and our kind's apiVersion. Of an object
 * that is too heavy the first part is kept.
 */
export function projectionOf<K extends Kind>(kind: K, { shared, limitBytes }: Keeping): Projection {
	const { group, kind: kindName, shape } = kinds[kind];
	return (raw, version) => {
		if (!isNamed(raw)) {
			return undefined;
		}
		const limit = limitBytes();
		const weight = weightOf(raw, shape);
		const isHeavy = weight > limit;
		const picked = isHeavy ? firstPartOf(raw, shape, limit) : raw;
		shared.takeFreshShare();
		const kept: { -readonly [Field in keyof AnyObject]: AnyObject[Field] } = pick(picked, shape, shared);
		// Items of a list may lack both, and PartialObjectMetadata calls itself so.
		kept.apiVersion = shared.text(group === "" ? version : `${group}/${version}`);
		kept.kind = kindName;
		const annotations = kept.metadata?.annotations;
		if (annotations !== undefined && annotations !== null) {
			const ours = Object.entries(annotations).filter(([key]) => annotationDomains.test(key));
			kept.metadata = {
				...kept.metadata,
				annotations: ours.length === 0 ? noAnnotations : Object.fromEntries(ours),
			};
		}
		// A CRD without a schema lets anything in, and none holds every status: what has the shape is kept.
		const readable = conformsToKind(kind, kept) ? kept : (conforming(kept, shape) as AnyObject);
		if (weight > lightBytes) {
			const own = isHeavy ? weightOf(readable, shape) : weight;
			heavyObjects.set(readable, {
				bytes: heapBytes(own, shared.takeFreshShare(), readable),
				isCut: isHeavy,
			});
		}
		return readable;
	};
}

/** What an object takes of the heap with its place in the indexes, measured: what is shared stands in indexes all the same. */
function heapBytes(weight: number, freshShare: number, object: AnyObject): number {
	const { hosts, addresses } =
		(object as { spec?: { hosts?: readonly unknown[]; addresses?: readonly unknown[] } }).spec ?? {};
	const indexed = (hosts?.length ?? 0) + (addresses?.length ?? 0);
	return weight * (0.15 + 1.25 * freshShare) + indexed * bytesAnIndexedText;
}

// A host stands in two indexes, each entry some 150 bytes.
const bytesAnIndexedText = 300;

/** Of an object that others annotate; one for all of them, since an empty object takes 56 bytes. */
const noAnnotations: Readonly<Record<string, string>> = Object.freeze({});

/** What a light object takes, in bytes: a plain ServiceEntry with its place in the indexes takes a third of it. */
const lightBytes = 2048;

/** Objects that are not light. */
const heavyObjects = new WeakMap<AnyObject, { readonly bytes: number; readonly isCut: boolean }>();

/** What an object that is kept takes of the heap, in bytes, roughly and with its place in the indexes. */
export function keptBytes(object: AnyObject): number {
	return lightBytes / 3 + (heavyObjects.get(object)?.bytes ?? 0);
}

/** Whether an object was too heavy to be kept whole. */
export function isCut(object: AnyObject): boolean {
	return heavyObjects.get(object)?.isCut === true;
}

/** The first so many items of every list and map that are light enough to be kept. */
function firstPartOf(object: AnyObject, shape: Shape, limit: number): AnyObject {
	let first = object;
	for (const most of [256, 64, 16, 4]) {
		first = firstOf(first, shape, most) as AnyObject;
		if (weightOf(first, shape) <= limit) {
			break;
		}
	}
	return first;
}

function isNamed(raw: unknown): raw is AnyObject {
	if (typeof raw !== "object" || raw === null) {
		return false;
	}
	const { metadata } = raw as AnyObject;
	return typeof metadata?.name === "string" && metadata.name !== "";
}
