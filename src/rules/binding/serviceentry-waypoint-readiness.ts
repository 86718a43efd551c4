import { isNameLike } from "../../core/finding.ts";
import type { Rule } from "../../core/rule.ts";
import {
	formatWaypoint,
	hasWaypointFault,
	targetConfirms,
	targetReads,
	targetState,
} from "../../istio/waypoint/binding.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
} from "../examples.ts";
import { waypointFault } from "./cel.ts";

/** The waypoint that a ServiceEntry is bound to is ready. */
export const serviceentryWaypointReadiness: Rule<"ServiceEntry"> = {
	id: "serviceentry-waypoint-readiness",
	kind: "ServiceEntry",
	family: "binding",
	severity: "error",
	reads: targetReads,
	confirms: targetConfirms,
	fixable: false,
	docs: {
		summary: "The waypoint that a ServiceEntry is bound to must be ready, or at least able to become ready",
		why: "Until the Gateway's status holds an address, Istio treats the entry as unbound and traffic goes straight to the internet. That is a warning, since a waypoint and its entries are often applied together. It is an error where the waypoint can never become ready.",
		fix: "Look at the Gateway's status and at the waypoint's pods: kubectl get gateway -n NAMESPACE NAME, istioctl waypoint status.",
		sources: [
			"istio/istio pilot/pkg/serviceregistry/ambient/waypoints.go: gatewayToWaypointTransform, getGatewayAddress",
			"seen on a running istiod of the 1.31 line: two HBONE listeners, a Hostname in spec.addresses, a foreign revision",
		],
		since: "0.1.0",
		good: boundEntry,
		bad: withLabels(plainEntry, {
			"istio.io/use-waypoint": "starting",
			"istio.io/use-waypoint-namespace": "istio-egress",
		}),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			{
				...egressWaypoint,
				metadata: { name: "starting", namespace: "istio-egress" },
				status: {},
			} as typeof egressWaypoint,
		],
	},
	when: hasWaypointFault,
	*check(entry, context) {
		const found = targetState(entry, context);
		if (found?.state.gateway === undefined || found.state.waypointClass === false) {
			return;
		}
		const { state } = found;
		if (!state.ready && state.neverReady !== undefined) {
			yield {
				path: found.targetPath,
				message: `Waypoint ${formatWaypoint(found.target)}, which ${found.origin}, can never become ready, since ${state.neverReady}: traffic would leave the cluster without it`,
				hint: "Fix the Gateway, or name another waypoint",
			};
		} else if (!state.ready) {
			yield {
				path: found.targetPath,
				message: `Waypoint ${formatWaypoint(found.target)}, which ${found.origin}, is not ready yet: until it is, traffic leaves the cluster without it`,
				hint: isNameLike(formatWaypoint(found.target))
					? `Wait for it: kubectl wait -n ${found.target.namespace} gateways.gateway.networking.k8s.io/${found.target.name} --for=jsonpath='{.status.addresses}'`
					: "Wait until its status.addresses is filled",
				severity: "warning",
			};
		} else if (!state.reachable) {
			yield {
				path: found.targetPath,
				message: `Waypoint ${formatWaypoint(found.target)}, which ${found.origin}, has no address that ztunnel can use: Istio reports it as bound, and traffic leaves the cluster without it`,
				hint: "Its status.addresses needs an entry of type IPAddress or Hostname",
			};
		}
	},
	cel: waypointFault("serviceentry-waypoint-readiness", "Fix the Gateway, or name another waypoint"),
};
