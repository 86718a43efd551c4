import type { Rule } from "../../core/rule.ts";
import { isAmbient, wantedWaypoint, wantedWaypointReads } from "../../istio/capture/owners.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { resolvesUnusually } from "../../istio/entry/facts.ts";
import { bindingConfirms } from "../../istio/waypoint/binding.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
	withSpec,
} from "../examples.ts";

/** An entry with resolution DYNAMIC_DNS must be bound to a waypoint. */
export const serviceentryDynamicDnsWaypoint: Rule<"ServiceEntry"> = {
	id: "serviceentry-dynamic-dns-waypoint",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: wantedWaypointReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "An entry with resolution DYNAMIC_DNS must be bound to a waypoint",
		why: "With DYNAMIC_DNS ztunnel answers every host below the wildcard with an allocated address, and only a waypoint can look up where the request really goes. Without one, every connection to these hosts fails, for the ambient pods of all namespaces.",
		fix: "Bind the entry to a waypoint, or name the hosts one by one with resolution: DNS.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/services.go: serviceEntriesInfo",
			"istio.io docs: ambient/usage/egress-gateway",
		],
		since: "0.1.0",
		good: withSpec(boundEntry, {
			hosts: ["*.payments.example.com"],
			resolution: "DYNAMIC_DNS",
			ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
		}),
		bad: withLabels(
			withSpec(boundEntry, {
				hosts: ["*.payments.example.com"],
				resolution: "DYNAMIC_DNS",
				ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
			}),
			{ "istio.io/use-waypoint": "none" },
		),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: resolvesUnusually,
	*check(entry, context) {
		if (specOf(entry).resolution !== "DYNAMIC_DNS" || wantedWaypoint(entry, context) !== undefined) {
			return;
		}
		yield {
			path: ["spec", "resolution"],
			message:
				"Without a waypoint nobody looks up the hosts of resolution DYNAMIC_DNS, so every connection of ambient pods to them fails",
			hint: "Bind the entry to a waypoint by the labels istio.io/use-waypoint and istio.io/use-waypoint-namespace",
			...(isAmbient(context) ? {} : { severity: "warning" as const }),
		};
	},
};
