import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { resolvesUnusually } from "../../istio/entry/facts.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";

/** An entry with resolution STATIC must have endpoints or a workload selector. */
export const serviceentryStaticEndpoint: Rule<"ServiceEntry"> = {
	id: "serviceentry-static-endpoint",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: [],
	fixable: false,
	docs: {
		summary: "An entry with resolution STATIC must have endpoints or a workload selector",
		why: "istiod accepts the entry and gives the host an address with nothing behind it: every connection fails with a 503 or is closed.",
		fix: "List the endpoints' IP addresses, or write resolution: DNS.",
		sources: ["istio/istio pilot/pkg/serviceregistry/ambient/workloads.go: serviceEntryWorkloadBuilder"],
		since: "0.1.0",
		good: withSpec(boundEntry, { resolution: "STATIC", endpoints: [{ address: "203.0.113.10" }] }),
		bad: withSpec(boundEntry, { resolution: "STATIC" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: resolvesUnusually,
	*check(entry) {
		const { resolution, endpoints, selector } = specOf(entry);
		if (resolution === "STATIC" && endpoints.length === 0 && selector === undefined) {
			yield {
				path: ["spec", "endpoints"],
				message:
					"Resolution STATIC without endpoints gives the host an address with nothing behind it, so every connection fails",
				hint: "List endpoints, or write resolution: DNS",
			};
		}
	},
};
