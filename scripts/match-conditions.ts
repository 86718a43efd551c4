import { annotationPrefix } from "../src/core/annotations.ts";
import type { Kind, Resources } from "../src/core/kinds.ts";
import { kinds } from "../src/core/kinds.ts";
import { useWaypointNamespaceLabel } from "../src/core/policy.ts";
import type { Rule, SentWhen } from "../src/core/rule.ts";

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
	reason: "An object that is being deleted is not fixed: nothing may stand in the way of its last finalizer.",
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
	reason: `A Namespace is judged for its ${annotationPrefix}* annotations, those it has and those it loses, and for labels that change.`,
	expression: [
		`object.metadata.?annotations.orValue({}).exists(key, key.startsWith('${annotationPrefix}'))`,
		`(oldObject != null && oldObject.metadata.?annotations.orValue({}).exists(key, key.startsWith('${annotationPrefix}')))`,
		"(oldObject != null && object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({}))",
	].join(" || "),
	holds: ({ object, oldObject }) =>
		hasPolicy(object) ||
		(oldObject !== null &&
			(hasPolicy(oldObject) || !isSame(object.metadata?.labels, oldObject.metadata?.labels))),
};

const metadataChanged: MatchCondition = {
	name: "changed",
	reason:
		"A Namespace is judged for labels and annotations. What Kubernetes itself writes while it deletes one must never wait for a webhook.",
	expression: [
		"request.operation != 'UPDATE'",
		"object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})",
		"object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})",
	].join(" || "),
	holds: ({ operation, object, oldObject }) =>
		operation !== "UPDATE" ||
		!isSame(object.metadata?.labels, oldObject?.metadata?.labels) ||
		!isSame(object.metadata?.annotations, oldObject?.metadata?.annotations),
};

const aliased: MatchCondition = {
	name: "alias",
	reason: "Of Services only aliases can be refused: every other one leads to pods of the cluster.",
	expression: "object.?spec.?type.orValue('') == 'ExternalName'",
	holds: ({ object }) => (object.spec as { readonly type?: unknown } | undefined)?.type === "ExternalName",
};

const atSharedWaypoint: MatchCondition = {
	name: "at-shared-waypoint",
	reason: "A Service that is no alias is judged where it lends the identity of another namespace's waypoint.",
	expression: `object.?spec.?type.orValue('') != 'ExternalName' && '${useWaypointNamespaceLabel}' in object.metadata.?labels.orValue({})`,
	holds: (request) =>
		!aliased.holds(request) && useWaypointNamespaceLabel in (request.object.metadata?.labels ?? {}),
};

/** Only what is fixed on admission is sent: what each such rule says of itself in `sentWhen`, joined. */
function fixable(rules: readonly Rule[]): MatchCondition {
	const sent = rules.flatMap(({ kind, sentWhen }) => (sentWhen === undefined ? [] : [{ kind, ...sentWhen }]));
	const byKind = Map.groupBy(sent, ({ kind }) => kinds[kind].plural);
	return {
		name: "fixable",
		reason: `Only what has a fix is sent: ${sent.map(({ what }) => what).join(", ")}.`,
		expression: [...byKind]
			.map(([plural, all]) => {
				const any = all.map(({ cel }) => cel).join(" || ");
				return `(request.resource.resource == '${plural}' && (${any}))`;
			})
			.join(" || "),
		holds: ({ resource, object }) =>
			byKind.get(resource.resource)?.some((each) => isSent(each, object)) === true,
	};
}

/** An expression that fails is no call of a webhook that fails open, and only fields of a wrong type make these fail. */
function isSent({ holds }: SentWhen<Resources[Kind]>, object: ConditionObject): boolean {
	try {
		return holds(object as Resources[Kind]);
	} catch {
		return false;
	}
}

/** Match conditions by the webhook that has them. */
export type MatchConditions = Readonly<
	Record<
		"mutateUpdates" | "validateUpdates" | "namespaces" | "services" | "bindings",
		readonly MatchCondition[]
	>
>;

/**
 * The conditions of each webhook that has some, all of which must hold. Creations have webhooks of their own without
 * conditions: there they would spare next to nothing and cost a fifth of the whole call (decision 0012).
 */
export function matchConditions(rules: readonly Rule[]): MatchConditions {
	return {
		mutateUpdates: [notBeingDeleted, fixable(rules)],
		validateUpdates: [changed],
		namespaces: [governed, metadataChanged],
		services: [aliased, changed],
		bindings: [atSharedWaypoint, changed],
	};
}

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

/**
 * What admission policies do not settle by themselves, for installations that let the auditor find the rest: an entry
 * that has nothing but DNS names, ports that say which host a connection is for, and the labels of a waypoint, can only
 * be wrong by other objects.
 */
export const uncommon: Pick<MatchCondition, "name" | "reason" | "expression"> = {
	name: "uncommon",
	reason: "A plain ServiceEntry is settled by the admission policies, but for what other objects make of it.",
	expression: `request.resource.resource != 'serviceentries' || !(
  has(object.spec) && (!has(object.spec.location) || object.spec.location == 'MESH_EXTERNAL') &&
  has(object.spec.resolution) && object.spec.resolution == 'DNS' &&
  !has(object.spec.endpoints) && !has(object.spec.addresses) && !has(object.spec.workloadSelector) &&
  !has(object.spec.exportTo) && !has(object.spec.subjectAltNames) &&
  object.spec.?ports.orValue([]).all(p, !has(p.targetPort) && has(p.protocol) &&
    (p.protocol in ['TLS', 'HTTPS'] || p.number != 443 && p.protocol in ['HTTP', 'HTTP2', 'GRPC'])) &&
  object.spec.?hosts.orValue([]).all(h, h.matches('^[a-z0-9-]+([.][a-z0-9-]+)*[.][a-z][a-z0-9-]*$') &&
    !h.endsWith('.svc') && !h.endsWith('.local') && !h.endsWith('.localhost')) &&
  object.metadata.?labels.orValue({}).all(k,
    !k.contains('istio.io/') || k in ['istio.io/use-waypoint', 'istio.io/use-waypoint-namespace']) &&
  !object.metadata.?annotations.orValue({}).exists(k, k.contains('istio.io/')))`,
};
