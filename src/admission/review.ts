import { isIstiodCanary } from "../core/canary.ts";
import type { Subject } from "../core/evaluate.ts";
import type { Kind } from "../core/kinds.ts";
import { kindOf, kinds } from "../core/kinds.ts";
import type { Requester } from "../core/rule.ts";

/** A review that can be answered. */
export interface Review {
	readonly uid: string;
	/** The version of the answer: the review's own where it is one that Kubernetes knows, else `admission.k8s.io/v1`. */
	readonly apiVersion: string;
	readonly operation: string;
	readonly dryRun: boolean;
	/** The namespace of the request; "" for kinds without one. */
	readonly namespace: string;
	readonly name: string | undefined;
	/** What there is to judge; undefined when Waymark has no business with the request. */
	readonly subject: Subject | undefined;
	/** Why the request cannot be judged: no API server sends it like this. */
	readonly fault?: string;
}

/** A body that is no review: there is no uid to answer to. */
export interface Unreadable {
	readonly message: string;
}

/**
 * What is read of a review and of the objects in it; each may be anything. None of these names is one that every object
 * inherits, so what JSON did not say is undefined.
 */
interface Fields {
	readonly apiVersion?: unknown;
	readonly request?: unknown;
	readonly uid?: unknown;
	readonly operation?: unknown;
	readonly subResource?: unknown;
	readonly kind?: unknown;
	readonly group?: unknown;
	readonly namespace?: unknown;
	readonly name?: unknown;
	readonly object?: unknown;
	readonly oldObject?: unknown;
	readonly metadata?: unknown;
	readonly dryRun?: unknown;
	readonly userInfo?: unknown;
	readonly username?: unknown;
	readonly groups?: unknown;
}

/** Reads an AdmissionReview (admission.k8s.io/v1) that was parsed from JSON; every field may be anything. */
export function readReview(body: unknown, today: string): Review | Unreadable {
	const review = fields(body);
	const request = fields(review?.request);
	const uid = text(request?.uid);
	if (review === undefined) {
		return { message: "The body is not an AdmissionReview: it is not a JSON object" };
	}
	if (request === undefined || uid === "") {
		return { message: "The body is not an AdmissionReview: it has no request.uid" };
	}
	const { apiVersion: version } = review;
	const operation = text(request.operation);
	const kind = judgedKind(request, operation);
	const namespace = text(request.namespace);
	const isDeletion = operation === "DELETE";
	const object = isDeletion ? request.oldObject : request.object;
	const dryRun = request.dryRun === true;
	const name = text(request.name) || text(fields(fields(object)?.metadata)?.name) || undefined;
	const fault = faultOf(request, kind !== undefined && !isDeletion);
	return {
		...(fault === undefined ? {} : { fault }),
		uid,
		// The API server refuses an answer of another version than it asked in; both look the same.
		apiVersion: version === "admission.k8s.io/v1beta1" ? version : "admission.k8s.io/v1",
		operation,
		dryRun,
		namespace,
		name,
		subject:
			kind === undefined || isIstiodCanary(object, dryRun)
				? undefined
				: {
						kind,
						namespace: kinds[kind].namespaced ? namespace : "",
						name,
						object,
						old: operation === "UPDATE" ? request.oldObject : undefined,
						...(isDeletion ? { isDeletion } : {}),
						requester: readRequester(request.userInfo),
						today,
					},
	};
}

const judgedOperations: ReadonlySet<string> = new Set(["CREATE", "UPDATE", "DELETE"]);

/**
 * Whole objects are judged, and those subresources by which annotations and labels are written as well: of a Namespace
 * both (k8s.io/kubernetes pkg/registry/core/namespace/strategy.go takes the metadata of either request).
 */
const judgedSubresources: ReadonlySet<string> = new Set(["Namespace/status", "Namespace/finalize"]);

const operations: ReadonlySet<string> = new Set([...judgedOperations, "CONNECT"]);

/** What is wrong with a request that every API server writes; what it says nothing about must not be let in as nothing. */
function faultOf(request: Fields, isWritten: boolean): string | undefined {
	if (!operations.has(text(request.operation))) {
		return "request.operation is none of CREATE, UPDATE, DELETE and CONNECT";
	}
	const name = fields(request.kind);
	if (typeof name?.group !== "string" || text(name?.kind) === "") {
		return "request.kind names no kind";
	}
	// A list is told by the rules of the kind what it should be.
	return isWritten && (typeof request.object !== "object" || request.object === null)
		? "request.object is no object"
		: undefined;
}

function judgedKind(request: Fields, operation: string): Kind | undefined {
	const name = fields(request.kind);
	const kind = kindOf(text(name?.group), text(name?.kind));
	const subresource = text(request.subResource);
	const isJudged = subresource === "" || judgedSubresources.has(`${kind}/${subresource}`);
	return isJudged && judgedOperations.has(operation) ? kind : undefined;
}

function readRequester(value: unknown): Requester {
	const user = fields(value);
	const groups = user?.groups;
	return {
		username: text(user?.username),
		groups: Array.isArray(groups) ? groups.filter((group): group is string => typeof group === "string") : [],
	};
}

function fields(value: unknown): Fields | undefined {
	return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
}

function text(value: unknown): string {
	return typeof value === "string" ? value : "";
}
