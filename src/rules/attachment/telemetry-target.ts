import type { Telemetry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { targetingConfirms, targetingReads } from "../../istio/attachment/targets.ts";
import { sharedWaypoint, toEntry } from "./examples.ts";
import { selectorOf, targetProblems } from "./target-problems.ts";

function targeting(name: string): Telemetry {
	return {
		apiVersion: "telemetry.istio.io/v1",
		kind: "Telemetry",
		metadata: { name: "payments", namespace: "team" },
		spec: { targetRefs: [toEntry(name)], accessLogging: [{}] },
	} as Telemetry;
}

/** A Telemetry attaches to something that a waypoint reads it for. */
export const telemetryTarget: Rule<"Telemetry"> = {
	id: "telemetry-target",
	kind: "Telemetry",
	family: "attachment",
	severity: "warning",
	reads: targetingReads,
	confirms: targetingConfirms,
	fixable: false,
	docs: {
		summary: "A Telemetry should target something that is there, in its own namespace, by targetRefs",
		why: "A waypoint reads what targets its Gateway, its class in the root namespace, or one of its ServiceEntries by name, each in the namespace of the target. A selector picks pods, and a waypoint passes over it. Whatever targets a name that is not there, one of another namespace, or an entry without a waypoint holds nowhere, and nothing says so. Unlike a policy, a Telemetry that targets a waypoint's Gateway or class is read for entries of its own namespace only.",
		fix: "Target the ServiceEntry by its name, in its own namespace; for all that goes through a waypoint write a Telemetry without targets in the waypoint's namespace.",
		sources: [
			"istio/istio pilot/pkg/model/policyattachment.go: ShouldAttachPolicy",
			"istio/istio pilot/pkg/model/telemetry.go: applicableTelemetries",
		],
		since: "0.1.0",
		good: targeting("payments"),
		bad: targeting("renamed"),
		given: sharedWaypoint,
	},
	*check(object, context) {
		yield* targetProblems(object, context, {
			kind: "Telemetry",
			isReadInOwnNamespace: true,
			selector: selectorOf(object),
		});
	},
};
