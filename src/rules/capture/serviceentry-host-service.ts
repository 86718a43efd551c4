import { mention, quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { serviceBehind } from "../../istio/capture/capture.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasUnusualHost } from "../../istio/entry/facts.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	exampleService,
	teamNamespace,
	withSpec,
} from "../examples.ts";

/** No host of an entry may be the name of a Service. */
export const serviceentryHostService: Rule<"ServiceEntry"> = {
	id: "serviceentry-host-service",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: ["Service"],
	confirms: ["Service"],
	fixable: false,
	docs: {
		summary: "No host of an entry may be the name of a Service",
		why: "In its own namespace a Service always wins: the entry's ports and waypoint are dropped for that host. A Service of another namespace keeps its clients elsewhere, but the entry takes them from it in its own namespace.",
		fix: "Remove the host. To govern calls to a Service, bind the Service itself to a waypoint.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/services.go: selectWorkloadServices"],
		since: "0.1.0",
		good: boundEntry,
		bad: withSpec(boundEntry, { hosts: ["orders.team.svc.cluster.local"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint, exampleService("orders", "team", "10.96.20.1")],
	},
	when: hasUnusualHost,
	*check(entry, context) {
		for (const [index, host] of specOf(entry).hosts.entries()) {
			const service = serviceBehind(host, context.inventory);
			if (service !== undefined) {
				const { name, namespace } = service.metadata ?? {};
				const place = mention(`${namespace ?? ""}/${name ?? ""}`);
				yield {
					path: ["spec", "hosts", index],
					message:
						namespace === context.namespace
							? `${quote(host)} is the Service ${place}, which always wins: this entry is dropped for it`
							: `${quote(host)} is the Service ${place}, and this entry takes the calls of pods in ${mention(context.namespace)} from it`,
					hint: "Remove the host; to govern calls to a Service, bind the Service to a waypoint",
				};
			}
		}
	},
};
