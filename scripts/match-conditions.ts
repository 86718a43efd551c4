import { annotationPrefix } from "../src/core/annotations.ts";

/** The parts of an AdmissionRequest that conditions look at, as CEL sees them. */
export interface ConditionRequest {
	readonly operation: string;
	readonly resource: { readonly resource: string };
	readonly object: ConditionObject;
	readonly oldObject: ConditionObject | null;
}

interface ConditionObject {
	readonly metadata?: {
		readonly labels?: Readonly<Record<string, unknown>>;
		readonly annotations?: Readonly<Record<string, unknown>>;
		readonly deletionTimestamp?: unknown;
	};
	readonly spec?: unknown;
}

/**
 * A condition under which the API server calls a webhook: what it is told in CEL, and the same again in TypeScript.
 * The unit tests prove with `holds` that no verdict is skipped; the end-to-end tests prove with the API server that
 * `expression` and `holds` are the same.
 */
export interface MatchCondition {
	readonly name: string;
	/** Why a call that it spares could change nothing. */
	readonly reason: string;
	readonly expression: string;
	readonly holds: (request: ConditionRequest) => boolean;
}

const notBeingDeleted: MatchCondition = {
	name: "not-being-deleted",
	reason:
		"An object that is being deleted is not mended: nothing may stand in the way of its last finalizer.",
	expression: "!has(object.metadata.deletionTimestamp)",
	holds: ({ object }) => object.metadata?.deletionTimestamp === undefined,
};

const changed: MatchCondition = {
	name: "changed",
	reason:
		"An update that leaves labels, annotations and spec alone has only mistakes that it had before, and those deny nothing.",
	expression: [
		"request.operation != 'UPDATE'",
		"object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})",
		"object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})",
		"object.?spec.orValue({}) != oldObject.?spec.orValue({})",
	].join(" || "),
	holds: ({ operation, object, oldObject }) =>
		operation !== "UPDATE" ||
		!isSame(object.metadata?.labels, oldObject?.metadata?.labels) ||
		!isSame(object.metadata?.annotations, oldObject?.metadata?.annotations) ||
		!isSame(object.spec, oldObject?.spec),
};

const governed: MatchCondition = {
	name: "has-policy",
	reason: `A Namespace is judged for its ${annotationPrefix}* annotations only, those it has and those it loses.`,
	expression: [
		`object.metadata.?annotations.orValue({}).exists(key, key.startsWith('${annotationPrefix}'))`,
		`(oldObject != null && oldObject.metadata.?annotations.orValue({}).exists(key, key.startsWith('${annotationPrefix}')))`,
	].join(" || "),
	holds: ({ object, oldObject }) => hasPolicy(object) || (oldObject !== null && hasPolicy(oldObject)),
};

const mendable: MatchCondition = {
	name: "mendable",
	reason:
		"Only what has a fix is sent: an entry without a waypoint label, with a host in capitals or with a final dot, with a list exportTo that may hold duplicates or with an empty list of endpoints, and a DestinationRule for chosen pods.",
	expression: [
		"(request.resource.resource == 'serviceentries' && (!('istio.io/use-waypoint' in object.metadata.?labels.orValue({}))",
		"object.?spec.?hosts.orValue([]).exists(host, !host.matches('^[a-z0-9*._-]*[a-z0-9]$'))",
		"object.?spec.?exportTo.orValue([]).size() > 1",
		"object.?spec.?endpoints.orValue(['none']).size() == 0))",
		"(request.resource.resource == 'destinationrules' && object.?spec.?workloadSelector.hasValue())",
	].join(" || "),
	holds: ({ resource, object }) => {
		const spec = (object.spec ?? {}) as Readonly<Record<string, unknown>>;
		// A list that is none is an error in CEL, and an error of this webhook is no call; the CRD's schema refuses it.
		const list = (value: unknown): readonly unknown[] | undefined =>
			Array.isArray(value) ? value : undefined;
		return resource.resource === "serviceentries"
			? !("istio.io/use-waypoint" in (object.metadata?.labels ?? {})) ||
					list(spec.hosts)?.some((host) => !/^[a-z0-9*._-]*[a-z0-9]$/.test(String(host))) === true ||
					(list(spec.exportTo)?.length ?? 0) > 1 ||
					list(spec.endpoints)?.length === 0
			: resource.resource === "destinationrules" && spec.workloadSelector !== undefined;
	},
};

/**
 * The conditions of each webhook that has some, all of which must hold. Creations have webhooks of their own without
 * conditions: there they would spare next to nothing and cost a fifth of the whole call (decision 0012).
 */
export const matchConditions: {
	readonly mutateUpdates: readonly MatchCondition[];
	readonly validateUpdates: readonly MatchCondition[];
	readonly namespaces: readonly MatchCondition[];
} = {
	mutateUpdates: [notBeingDeleted, mendable],
	validateUpdates: [changed],
	namespaces: [governed, changed],
};

function hasPolicy(object: ConditionObject): boolean {
	return Object.keys(object.metadata?.annotations ?? {}).some((key) => key.startsWith(annotationPrefix));
}

/** Equality as CEL has it: the order of a map's keys says nothing. */
function isSame(one: unknown = {}, other: unknown = {}): boolean {
	if (typeof one !== "object" || one === null || typeof other !== "object" || other === null) {
		return one === other;
	}
	const keys = Object.keys(one);
	return (
		Array.isArray(one) === Array.isArray(other) &&
		keys.length === Object.keys(other).length &&
		keys.every(
			(key) =>
				Object.hasOwn(other, key) &&
				isSame((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]),
		)
	);
}
