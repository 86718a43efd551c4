import { mention, quote } from "../../core/finding.ts";
import type { ServiceEntry } from "../../core/kinds.ts";
import type { Rule } from "../../core/rule.ts";
import { sharesHosts } from "../../istio/capture/owners.ts";
import { formatWaypoint, targetConfirms, targetReads, targetState } from "../../istio/waypoint/binding.ts";
import { rivalAt } from "../../istio/waypoint/rivals.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withLabels } from "../examples.ts";

/** A waypoint is asked for a host by the entries of one namespace only. */
export const serviceentryWaypointRival: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-rival",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: ["ServiceEntry", ...targetReads],
	confirms: targetConfirms,
	fixable: false,
	docs: {
		summary: "Entries of two namespaces must not send the same host through the same waypoint",
		why: "A waypoint keeps one service for each host name. Which of two entries it keeps changes from push to push; connections to the address of the other match nothing and are closed, and the policies of that entry are gone. Both entries say WaypointBound all the while.",
		fix: "Declare the host once, in the namespace of the waypoint for example, or give each namespace a waypoint of its own.",
		sources: [
			"istio/istio pilot/pkg/networking/core/waypoint.go: findWaypointResources",
			"https://github.com/istio/istio/issues/58860",
		],
		since: "0.1.0",
		good: withLabels(boundEntry, { "istio.io/use-waypoint": "second" }),
		bad: boundEntry,
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			{ ...boundEntry, metadata: { ...boundEntry.metadata, name: "shared", namespace: "team-two" } },
			{ ...egressWaypoint, metadata: { name: "second", namespace: "istio-egress" } },
		],
	},
	when: sharesHosts,
	*check(entry, context) {
		const found = targetState(entry, context);
		if (found === undefined) {
			return;
		}
		for (const [index, host] of (entry.spec?.hosts ?? []).entries()) {
			const rival = rivalAt(host, found.target, context);
			if (rival !== undefined) {
				yield {
					path: ["spec", "hosts", index],
					message: `${formatEntry(rival)} sends ${quote(host)} through ${formatWaypoint(found.target)} as well, and the waypoint knows only one of the two: connections of the other namespace are closed`,
					hint: "Declare the host once, in the waypoint's namespace, or give each namespace its own waypoint",
				};
			}
		}
	},
};

function formatEntry({ metadata }: ServiceEntry): string {
	return `ServiceEntry ${mention(`${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`)}`;
}
