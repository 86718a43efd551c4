import type { AnyObject } from "../../src/core/kinds.ts";
import { kindOfObject, kinds } from "../../src/core/kinds.ts";

/** What the API server says about a request, apart from the object. */
export interface ReviewOptions {
	readonly operation?: string;
	readonly old?: unknown;
	/** Fields of `request`, on top of everything else. */
	readonly request?: Readonly<Record<string, unknown>>;
}

/** An AdmissionReview as kube-apiserver 1.36 sends it: every field of its, in its order. */
export function reviewOf(object: AnyObject, options: ReviewOptions = {}): Record<string, unknown> {
	const kind = kindOfObject(object);
	const [group = "", version = ""] = (object.apiVersion ?? "").includes("/")
		? (object.apiVersion ?? "").split("/")
		: ["", object.apiVersion ?? "v1"];
	const named = { group, version, kind: object.kind };
	const resource = { group, version, resource: kind === undefined ? "things" : kinds[kind].plural };
	return {
		kind: "AdmissionReview",
		apiVersion: "admission.k8s.io/v1",
		request: {
			uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
			kind: named,
			resource,
			requestKind: named,
			requestResource: resource,
			...(object.metadata?.name == null ? {} : { name: object.metadata.name }),
			...(object.metadata?.namespace == null ? {} : { namespace: object.metadata.namespace }),
			operation: options.operation ?? (options.old === undefined ? "CREATE" : "UPDATE"),
			userInfo: { username: "alice", uid: "1", groups: ["developers", "system:authenticated"] },
			object,
			oldObject: options.old ?? null,
			dryRun: false,
			options: {
				kind: "CreateOptions",
				apiVersion: "meta.k8s.io/v1",
				fieldManager: "kubectl-client-side-apply",
			},
			...options.request,
		},
	};
}
