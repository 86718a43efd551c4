import type { Rule } from "../../core/rule.ts";
import { egressNamespace, egressWaypoint } from "../examples.ts";
import { routedEntry } from "../sidecar-egress/examples.ts";
import { gatewayRouteTo, limitedNamespace } from "./examples.ts";
import { gatewayRouteProblems, routeDestinationReads } from "./route-destinations.ts";

/** A TLSRoute leads only to hosts that its namespace may reach, and past no waypoint. */
export const tlsroutePolicyBackend: Rule<"TLSRoute"> = {
	id: "tlsroute-policy-backend",
	kind: "TLSRoute",
	family: "policy",
	severity: "error",
	reads: routeDestinationReads,
	confirms: ["KubernetesGateway", "GatewayClass", "Namespace", "Service", "ServiceEntry"],
	fixable: false,
	docs: {
		summary:
			"A TLSRoute must lead only to hosts and ports that its namespace may reach, and not past its waypoint",
		why: "A waypoint follows the routes of a ServiceEntry or Service that is bound to it, to any host that some namespace has registered, whether or not this one may reach it. A route that stands on an ordinary Gateway leaves from that Gateway's pods, past the waypoint. An XBackend, which Istio reads from 1.32, names a host that Waymark does not read.",
		fix: "Lead the host to itself, or ask the security team to allow the backend. Write a ServiceEntry for every host that pods shall reach, and let them call it by its name.",
		sources: [
			"istio/istio pilot/pkg/config/kube/gateway/conversion.go: parentRef ServiceEntry, backendRef Hostname",
			"docs/policies.md",
		],
		since: "0.1.0",
		good: gatewayRouteTo("TLSRoute", "api.payments.example.com"),
		bad: gatewayRouteTo("TLSRoute", "files.example.org"),
		given: [limitedNamespace, egressNamespace, egressWaypoint, routedEntry],
	},
	check(route, context) {
		return gatewayRouteProblems(route, context);
	},
};
