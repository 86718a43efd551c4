import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { resolvesUnusually } from "../../istio/entry/facts.ts";
import { bindingConfirms, bindingReads, entryBinding, formatWaypoint } from "../../istio/waypoint/binding.ts";
import {
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
	withSpec,
} from "../examples.ts";

/** An entry with resolution DYNAMIC_DNS at a waypoint must be MESH_EXTERNAL. */
export const serviceentryDynamicDnsLocation: Rule<"ServiceEntry"> = {
	id: "serviceentry-dynamic-dns-location",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: bindingReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "An entry with resolution DYNAMIC_DNS at a waypoint must be MESH_EXTERNAL",
		why: "A waypoint leaves out entries that are both DYNAMIC_DNS and MESH_INTERNAL, and istiod refuses them only where the entry itself carries the waypoint label. Bound through its namespace's label the entry is accepted, and every connection to it fails.",
		fix: "Write location: MESH_EXTERNAL.",
		sources: [
			"istio/istio pilot/pkg/networking/core/waypoint.go: findWaypointResources",
			"istio/istio pkg/config/validation/validation.go: usesWaypoint",
		],
		since: "0.1.0",
		good: withSpec(plainEntry, {
			hosts: ["*.payments.example.com"],
			resolution: "DYNAMIC_DNS",
			ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
		}),
		bad: withSpec(plainEntry, {
			hosts: ["*.payments.example.com"],
			resolution: "DYNAMIC_DNS",
			location: "MESH_INTERNAL",
			ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }],
		}),
		given: [
			withLabels(teamNamespace, {
				"istio.io/use-waypoint": "egress",
				"istio.io/use-waypoint-namespace": "istio-egress",
			}),
			egressNamespace,
			egressWaypoint,
		],
	},
	when: resolvesUnusually,
	*check(entry, context) {
		const { resolution, location } = specOf(entry);
		const { request } = entryBinding(entry, context);
		if (
			resolution === "DYNAMIC_DNS" &&
			location === "MESH_INTERNAL" &&
			request.asked &&
			request.by === "namespace"
		) {
			yield {
				path: ["spec", "location"],
				message: `The waypoint ${formatWaypoint(request.waypoint)} leaves out DYNAMIC_DNS entries that say MESH_INTERNAL, so connections to these hosts fail`,
				hint: "Write location: MESH_EXTERNAL",
			};
		}
	},
};
