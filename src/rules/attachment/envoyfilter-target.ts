import type { EnvoyFilter } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { targetingConfirms, targetingReads } from "../../istio/attachment/targets.ts";
import { sharedWaypoint, toEgress } from "./examples.ts";
import { targetProblems } from "./target-problems.ts";

function targeting(name: string): EnvoyFilter {
	return {
		apiVersion: "networking.istio.io/v1alpha3",
		kind: "EnvoyFilter",
		metadata: { name: "payments", namespace: "istio-egress" },
		spec: { targetRefs: [{ ...toEgress, name }] },
	} as EnvoyFilter;
}

/** An EnvoyFilter attaches to something that a waypoint reads it for. */
export const envoyfilterTarget: Rule<"EnvoyFilter"> = {
	id: "envoyfilter-target",
	kind: "EnvoyFilter",
	family: "attachment",
	severity: "warning",
	reads: targetingReads,
	confirms: targetingConfirms,
	fixable: false,
	docs: {
		summary: "An EnvoyFilter should target something that is there, in its own namespace, by targetRefs",
		why: "A waypoint reads the EnvoyFilters of its own and the root namespace that target its Gateway or its class. One with a workloadSelector, one that targets a ServiceEntry and one in another namespace do nothing there, and nothing says so.",
		fix: "Target the ServiceEntry or the Gateway by its name, and write the EnvoyFilter in the namespace of its target.",
		sources: [
			"istio/istio pilot/pkg/model/push_context.go: getMatchedEnvoyFilters",
			"istio/istio pilot/pkg/model/policyattachment.go: ShouldAttachPolicy",
		],
		since: "0.1.0",
		good: targeting("egress"),
		bad: targeting("renamed"),
		given: sharedWaypoint,
	},
	*check(object, context) {
		yield* targetProblems(object, context, {
			kind: "EnvoyFilter",
			selector: {
				labels: object.spec?.workloadSelector?.labels ?? {},
				path: ["spec", "workloadSelector", "labels"],
			},
			isReadOnlyByTarget: true,
			isReadOnlyByGateway: true,
		});
	},
};
