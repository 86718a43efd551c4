import type { Rule } from "../../core/rule.ts";
import { isAmbient } from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasExportTo } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** An entry in an ambient namespace should not count on exportTo. */
export const serviceentryExportScope: Rule<"ServiceEntry"> = {
	id: "serviceentry-export-scope",
	kind: "ServiceEntry",
	family: "capture",
	severity: "warning",
	reads: ["Namespace"],
	fixable: false,
	docs: {
		summary: "An entry in an ambient namespace should not count on exportTo",
		why: "ztunnel and waypoints ignore exportTo: the entry is seen from every namespace, whatever the list says. Somebody who relies on it believes in a limit that is not there.",
		fix: "Leave exportTo out. To limit who may reach the host, write an AuthorizationPolicy for the waypoint, or use meshConfig.serviceEntryVisibility of Istio 1.31.",
		sources: [
			"istio.io/api networking/v1alpha3/service_entry.proto",
			"istio/istio pilot/pkg/model/serviceentry_visibility.go",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { exportTo: ["."] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasExportTo,
	*check(entry, context) {
		const { exportTo } = specOf(entry);
		if (exportTo.length > 0 && exportTo.some((each) => each !== "*") && isAmbient(context)) {
			yield {
				path: ["spec", "exportTo"],
				message: "Ambient ignores exportTo: every namespace sees this entry",
				hint: "Leave exportTo out, and limit who may reach the host by an AuthorizationPolicy",
			};
		}
	},
};
