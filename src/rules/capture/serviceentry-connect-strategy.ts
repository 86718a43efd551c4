import type { Rule } from "../../core/rule.ts";
import { wantedWaypoint, wantedWaypointReads } from "../../istio/capture/owners.ts";
import { hasIstioMetadata } from "../../istio/entry/facts.ts";
import { bindingConfirms } from "../../istio/waypoint/binding.ts";
import { labelOf } from "../../istio/waypoint/label-selector.ts";
import { boundEntry, plainEntry, teamNamespace, withAnnotations } from "../examples.ts";

const annotation = "istio.io/connect-strategy";

/** An entry with a connect strategy should be bound to a waypoint. */
export const serviceentryConnectStrategy: Rule<"ServiceEntry"> = {
	id: "serviceentry-connect-strategy",
	kind: "ServiceEntry",
	family: "capture",
	severity: "warning",
	reads: wantedWaypointReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "An entry with a connect strategy should be bound to a waypoint",
		why: "Only a waypoint carries out the strategy of the annotation istio.io/connect-strategy. Without one istiod sets the condition WaypointMissing and the strategy has no effect for ambient clients.",
		fix: "Bind the entry to a waypoint, or remove the annotation.",
		sources: ["istio/istio pilot/pkg/model/service.go: GetConditions"],
		since: "0.1.0",
		good: boundEntry,
		bad: withAnnotations(plainEntry, { "istio.io/connect-strategy": "RACE_FIRST_TCP_CONNECT" }),
		given: [withAnnotations(teamNamespace, {})],
	},
	when: hasIstioMetadata,
	*check(entry, context) {
		if (
			labelOf(entry.metadata?.annotations, annotation) === "RACE_FIRST_TCP_CONNECT" &&
			wantedWaypoint(entry, context) === undefined
		) {
			yield {
				path: ["metadata", "annotations", annotation],
				message: "Without a waypoint nobody carries out the connect strategy for ambient clients",
				hint: "Bind the entry to a waypoint, or remove the annotation",
			};
		}
	},
};
