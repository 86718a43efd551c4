import type { RequestAuthentication } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { targetingConfirms, targetingReads } from "../../istio/attachment/targets.ts";
import { sharedWaypoint, toEntry } from "./examples.ts";
import { selectorOf, targetProblems } from "./target-problems.ts";

function targeting(name: string): RequestAuthentication {
	return {
		apiVersion: "security.istio.io/v1",
		kind: "RequestAuthentication",
		metadata: { name: "payments", namespace: "team" },
		spec: {
			targetRefs: [toEntry(name)],
			jwtRules: [{ issuer: "https://issuer.example.com" }],
		},
	} as RequestAuthentication;
}

/** A RequestAuthentication attaches to something that a waypoint reads it for. */
export const requestauthenticationTarget: Rule<"RequestAuthentication"> = {
	id: "requestauthentication-target",
	kind: "RequestAuthentication",
	family: "attachment",
	severity: "warning",
	reads: targetingReads,
	confirms: targetingConfirms,
	fixable: false,
	docs: {
		summary:
			"A RequestAuthentication should target something that is there, in its own namespace, by targetRefs",
		why: "A waypoint reads what targets its Gateway, its class in the root namespace, or one of its ServiceEntries by name, each in the namespace of the target. A selector picks pods, and a waypoint passes over it. Whatever targets a name that is not there, one of another namespace, or an entry without a waypoint holds nowhere, and nothing says so. Tokens are read from requests, so an entry whose ports all pass as TCP is not authenticated at all.",
		fix: "Target the ServiceEntry or the Gateway by its name, and write the RequestAuthentication in the namespace of its target.",
		sources: ["istio/istio pilot/pkg/model/policyattachment.go: ShouldAttachPolicy"],
		since: "0.1.0",
		good: targeting("payments"),
		bad: targeting("renamed"),
		given: sharedWaypoint,
	},
	*check(object, context) {
		yield* targetProblems(object, context, {
			kind: "RequestAuthentication",
			selector: selectorOf(object),
			isReadOnlyByTarget: true,
			isAboutHttp: true,
		});
	},
};
