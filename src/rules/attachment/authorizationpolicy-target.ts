import type { AuthorizationPolicy } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { targetingConfirms, targetingReads } from "../../istio/attachment/targets.ts";
import { sharedWaypoint, toEntry } from "./examples.ts";
import { selectorOf, targetProblems } from "./target-problems.ts";

function targeting(name: string): AuthorizationPolicy {
	return {
		apiVersion: "security.istio.io/v1",
		kind: "AuthorizationPolicy",
		metadata: { name: "payments", namespace: "team" },
		spec: {
			targetRefs: [toEntry(name)],
			action: "DENY",
			rules: [{}],
		},
	} as AuthorizationPolicy;
}

/** An AuthorizationPolicy attaches to something that a waypoint reads it for. */
export const authorizationpolicyTarget: Rule<"AuthorizationPolicy"> = {
	id: "authorizationpolicy-target",
	kind: "AuthorizationPolicy",
	family: "attachment",
	severity: "warning",
	reads: targetingReads,
	confirms: targetingConfirms,
	fixable: false,
	docs: {
		summary:
			"An AuthorizationPolicy should target something that is there, in its own namespace, by targetRefs",
		why: "A waypoint reads what targets its Gateway, its class in the root namespace, or one of its ServiceEntries by name, each in the namespace of the target. A selector picks pods, and a waypoint passes over it. Whatever targets a name that is not there, one of another namespace, or an entry without a waypoint holds nowhere, and nothing says so.",
		fix: "Target the ServiceEntry or the Gateway by its name, and write the AuthorizationPolicy in the namespace of its target.",
		sources: ["istio/istio pilot/pkg/model/policyattachment.go: ShouldAttachPolicy"],
		since: "0.1.0",
		good: targeting("payments"),
		bad: targeting("renamed"),
		given: sharedWaypoint,
	},
	*check(object, context) {
		yield* targetProblems(object, context, {
			kind: "AuthorizationPolicy",
			selector: selectorOf(object),
			isReadOnlyByTarget: true,
		});
	},
};
