import { quote } from "../../core/finding.ts";
import { useWaypointLabel, useWaypointNamespaceLabel } from "../../core/policy.ts";
import type { Rule } from "../../core/rule.ts";
import { hasUnreadableLabels, isWaypointLabelValue } from "../../istio/waypoint/binding.ts";
import { labelOf } from "../../istio/waypoint/label-selector.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
} from "../examples.ts";

/** The values of the waypoint labels are names that every part of Istio reads alike. */
export const serviceentryWaypointLabel: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-label",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "The values of the waypoint labels must be names that every part of Istio reads alike",
		why: "An empty value or None is a waypoint that cannot exist to istiod's binding, and no waypoint at all to its validation and its status. The entry ends up unbound, without the waypoint of its namespace, and traffic goes straight to the internet.",
		fix: "Write the name of a waypoint in lower case, or exactly none to opt out where that is permitted, or remove the label.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: GetUseWaypoint",
			"istio/istio pkg/config/validation/validation.go: usesWaypoint",
			"istio/istio pilot/pkg/config/kube/gateway/conversion.go: waypointConfigured",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(plainEntry, { "istio.io/use-waypoint": "None" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnreadableLabels,
	*check(entry) {
		for (const label of [useWaypointLabel, useWaypointNamespaceLabel]) {
			const value = labelOf(entry.metadata?.labels, label);
			const isNamespace = label === useWaypointNamespaceLabel;
			if (value === undefined || (isWaypointLabelValue(value) && !(isNamespace && value.includes(".")))) {
				continue;
			}
			yield {
				path: ["metadata", "labels", label],
				message: `${quote(value)} can name no ${isNamespace ? "namespace" : "waypoint"}, and parts of Istio read it differently: the entry would be unbound`,
				hint:
					value.toLowerCase() === "none"
						? "Write none, in lower case, or a waypoint's name"
						: "Write a name, or remove the label",
			};
		}
	},
	cel: {
		problems: [
			{
				each: ["l", `['${useWaypointLabel}', '${useWaypointNamespaceLabel}']`],
				when: `l in e.labels && !e.labels[l].matches(
  l == '${useWaypointLabel}' ? '^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$' : '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$')`,
				path: 'metadata.labels["{l}"]',
				message:
					'"{e.labels[l]}" can name no waypoint or namespace, and parts of Istio read it differently: the entry would be unbound',
				hint: "Write a name in lower case, or remove the label",
				isAboutWhole: true,
			},
		],
	},
};
