import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { whyIgnored } from "../../istio/capture/capture.ts";
import { hasIstioMetadata } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withLabels } from "../examples.ts";

/** The label istio.io/rev must name a revision that this mesh has. */
export const serviceentryRevision: Rule<"ServiceEntry"> = {
	id: "serviceentry-revision",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: ["Namespace"],
	confirms: ["Namespace"],
	fixable: false,
	docs: {
		summary: "The label istio.io/rev must name a revision that this mesh has",
		why: "istiod ignores an object of another revision: no condition, no service, although an address may be allocated. Its traffic leaves past the waypoint, and nothing says so. An empty value names no revision either.",
		fix: "Remove the label, or write the revision or tag of the istiod that serves this mesh.",
		sources: ["istio/istio pkg/config/model.go: LabelsInRevision"],
		since: "0.1.0",
		good: withLabels(boundEntry, { "istio.io/rev": "default" }),
		bad: withLabels(boundEntry, { "istio.io/rev": "canary" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasIstioMetadata,
	*check(entry, context) {
		const ignored = whyIgnored(entry, context.namespace, context.inventory);
		if (ignored?.reason !== "revision") {
			return;
		}
		// Manifests do not say which revisions there are; an empty one is none anywhere.
		const isUnsure = context.inventory.offline && ignored.revision !== "";
		yield {
			path: ["metadata", "labels", "istio.io/rev"],
			...(isUnsure ? { severity: "warning" as const } : {}),
			message: `An istiod that is not of revision ${quote(ignored.revision)} ignores this entry, so its traffic goes past every waypoint`,
			hint: "Remove the label, or name the revision of this mesh",
		};
	},
	cel: {
		problems: [
			{
				needs: "table",
				when: "!(e.labels[?'istio.io/rev'].orValue('default') in params.spec.?revisions.orValue(['default']))",
				path: 'metadata.labels["istio.io/rev"]',
				message:
					"An istiod that is not of revision \"{e.labels['istio.io/rev']}\" ignores this entry, so its traffic goes past every waypoint",
				hint: "Remove the label, or name the revision of this mesh",
			},
		],
	},
};
