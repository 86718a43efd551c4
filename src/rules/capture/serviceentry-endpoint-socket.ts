import { quote } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { hasEndpoints } from "../../istio/entry/facts.ts";
import { bindingConfirms, bindingReads, entryBinding, formatWaypoint } from "../../istio/waypoint/binding.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../examples.ts";
import { isUnixSocket } from "../policy/limits.ts";

/** No endpoint of an entry that goes through a waypoint is a Unix socket: it would be one of the waypoint's own pod. */
export const serviceentryEndpointSocket: Rule<"ServiceEntry"> = {
	id: "serviceentry-endpoint-socket",
	kind: "ServiceEntry",
	family: "capture",
	severity: "error",
	reads: bindingReads,
	confirms: bindingConfirms,
	fixable: false,
	docs: {
		summary: "No endpoint of an entry that goes through a waypoint may be a Unix socket",
		why: "istiod hands the path to the waypoint as it is, and the waypoint opens it in its own pod. A shared waypoint has sockets there that no team should reach, such as the one from which it gets the private key of its identity. With sidecars the socket is one of the client's own pod; ztunnel knows no such endpoint.",
		fix: "Remove the endpoint. Run what listens on the socket as a Service.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/serviceentry/conversion.go: convertWorkloadInstanceToServiceInstance",
			"istio/istio pkg/security/security.go: WorkloadIdentityPath",
		],
		since: "0.1.0",
		good: withSpec(boundEntry, { resolution: "STATIC", endpoints: [{ address: "203.0.113.10" }] }),
		bad: withSpec(boundEntry, {
			resolution: "STATIC",
			endpoints: [{ address: "unix:///var/run/secrets/workload-spiffe-uds/socket" }],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
	},
	when: hasEndpoints,
	*check(entry, context) {
		const { target } = entryBinding(entry, context);
		if (target === undefined && context.policy.ambient !== "enforced") {
			return;
		}
		const opener =
			target === undefined
				? "No proxy of ambient opens"
				: `The waypoint ${formatWaypoint(target)} would open`;
		for (const [index, { address }] of specOf(entry).endpoints.entries()) {
			if (isUnixSocket(address)) {
				yield {
					path: ["spec", "endpoints", index, "address"],
					message: `${opener} ${quote(address)}${target === undefined ? "" : " in its own pod, where its keys are"}`,
					hint: "Remove the endpoint, or run what listens on the socket as a Service",
				};
			}
		}
	},
};
