import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasSelector, isExternal } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** Only an entry for workloads inside the mesh should select workloads. */
export const serviceentrySelectorLocation: Rule<"ServiceEntry"> = {
	id: "serviceentry-selector-location",
	kind: "ServiceEntry",
	family: "capture",
	severity: "warning",
	reads: [],
	fixable: false,
	docs: {
		summary: "Only an entry for workloads inside the mesh should select workloads",
		why: "A workload selector makes pods of the namespace the endpoints of the host. On an entry that says MESH_EXTERNAL that contradicts itself: the host is declared to be outside, and its traffic goes to pods inside.",
		fix: "Write location: MESH_INTERNAL for workloads of the mesh, or remove the selector.",
		sources: ["istio.io/api networking/v1alpha3/service_entry.proto"],
		since: "0.1.0",
		good: withSpec(boundEntry, {
			resolution: "STATIC",
			location: "MESH_INTERNAL",
			workloadSelector: { labels: { app: "payments" } },
		}),
		bad: withSpec(boundEntry, { resolution: "STATIC", workloadSelector: { labels: { app: "payments" } } }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasSelector,
	*check(entry) {
		if (isExternal(entry) && specOf(entry).selector !== undefined) {
			yield {
				path: ["spec", "workloadSelector"],
				message:
					"The host is declared to be outside the mesh, and the selector sends its traffic to pods inside",
				hint: "Remove workloadSelector, or write location: MESH_INTERNAL",
			};
		}
	},
};
