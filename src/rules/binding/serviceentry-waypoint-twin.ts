import { mention } from "../../core/finding.ts";
import { useWaypointLabel, useWaypointNamespaceLabel } from "../../core/policy.ts";
import type { Rule } from "../../core/rule.ts";
import {
	bindingConfirms,
	bindingReads,
	entryBinding,
	hasUnusualBinding,
	useWaypointNamespacePath,
	useWaypointPath,
} from "../../istio/waypoint/binding.ts";
import { labelOf } from "../../istio/waypoint/label-selector.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
} from "../examples.ts";

/** A waypoint of another namespace is named by both labels. */
export const serviceentryWaypointTwin: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-twin",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: bindingReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "A waypoint of another namespace must be named by both labels",
		why: "Istio reads istio.io/use-waypoint-namespace only beside istio.io/use-waypoint on the same object. The name alone means a waypoint in the entry's own namespace, the namespace alone means nothing: either way traffic goes straight to the internet.",
		fix: "Write both labels, or neither and let the mutating webhook add them.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: GetUseWaypoint"],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(plainEntry, { "istio.io/use-waypoint": "egress" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasUnusualBinding,
	*check(entry, context) {
		const labels = entry.metadata?.labels;
		const { omittedNamespace, expected } = entryBinding(entry, context);
		if (omittedNamespace !== undefined) {
			yield {
				path: useWaypointPath,
				message: `Names the waypoint without its namespace, so Istio looks for it in ${mention(context.namespace)} and not in ${mention(omittedNamespace)}, and traffic leaves the cluster without it`,
				hint: `Add the label istio.io/use-waypoint-namespace: ${mention(omittedNamespace)}, or remove istio.io/use-waypoint`,
			};
		}
		const alone =
			labelOf(labels, useWaypointNamespaceLabel) !== undefined &&
			labelOf(labels, useWaypointLabel) === undefined;
		if (alone && labelOf(labels, useWaypointNamespaceLabel) !== expected?.namespace) {
			yield {
				path: useWaypointNamespacePath,
				message: "Names a waypoint's namespace without its name, which Istio ignores",
				hint: "Add the label istio.io/use-waypoint, or remove istio.io/use-waypoint-namespace",
			};
		}
	},
	cel: {
		problems: [
			{
				when: "e.omitsNamespace",
				path: `metadata.labels["${useWaypointLabel}"]`,
				message:
					"Names the waypoint without its namespace, so Istio looks for it in {request.namespace} and not in {e.expected.split('/')[0]}, and traffic leaves the cluster without it",
				hint: `Add the label ${useWaypointNamespaceLabel}: {e.expected.split('/')[0]}, or remove ${useWaypointLabel}`,
			},
			{
				when: `'${useWaypointNamespaceLabel}' in e.labels && !('${useWaypointLabel}' in e.labels) &&
  (e.expected == '' || e.labels['${useWaypointNamespaceLabel}'] != e.expected.split('/')[0])`,
				path: `metadata.labels["${useWaypointNamespaceLabel}"]`,
				message: "Names a waypoint's namespace without its name, which Istio ignores",
				hint: `Add the label ${useWaypointLabel}, or remove ${useWaypointNamespaceLabel}`,
			},
		],
	},
};
