import type { TrafficExtension } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { targetingConfirms, targetingReads } from "../../istio/attachment/targets.ts";
import { sharedWaypoint, toEntry } from "./examples.ts";
import { selectorOf, targetProblems } from "./target-problems.ts";

function targeting(name: string): TrafficExtension {
	return {
		apiVersion: "extensions.istio.io/v1alpha1",
		kind: "TrafficExtension",
		metadata: { name: "payments", namespace: "team" },
		spec: { targetRefs: [toEntry(name)], lua: { inlineCode: "function envoy_on_request(handle) end" } },
	} as TrafficExtension;
}

/** A TrafficExtension attaches to something that a waypoint reads it for. */
export const trafficextensionTarget: Rule<"TrafficExtension"> = {
	id: "trafficextension-target",
	kind: "TrafficExtension",
	family: "attachment",
	severity: "warning",
	reads: targetingReads,
	confirms: targetingConfirms,
	fixable: false,
	docs: {
		summary: "A TrafficExtension should target something that is there, in its own namespace, by targetRefs",
		why: "A waypoint reads what targets its Gateway, its class in the root namespace, or one of its ServiceEntries by name, each in the namespace of the target. A selector picks pods, and a waypoint passes over it. Whatever targets a name that is not there, one of another namespace, or an entry without a waypoint holds nowhere, and nothing says so.",
		fix: "Target the ServiceEntry or the Gateway by its name, and write the TrafficExtension in the namespace of its target.",
		sources: ["istio/istio pilot/pkg/model/policyattachment.go: ShouldAttachPolicy"],
		since: "0.1.0",
		good: targeting("payments"),
		bad: targeting("renamed"),
		given: sharedWaypoint,
	},
	*check(object, context) {
		yield* targetProblems(object, context, {
			kind: "TrafficExtension",
			selector: selectorOf(object),
			isReadOnlyByTarget: true,
		});
	},
};
