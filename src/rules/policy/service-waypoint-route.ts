import type { Problem } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import type { GatewayRoute, Service, VirtualService } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import type { RouteTarget } from "../../istio/egress/route-targets.ts";
import { gatewayRouteTargets, virtualServiceTargets } from "../../istio/egress/route-targets.ts";
import { useWaypointPath } from "../../istio/waypoint/binding.ts";
import {
	egressNamespace,
	egressWaypoint,
	exampleService,
	teamNamespace,
	withLabels,
	withSpec,
} from "../examples.ts";
import { virtualServiceTo } from "./examples.ts";
import type { ExternalHost } from "./route-destinations.ts";
import { fullName, isAtSharedWaypoint, lentIdentity, routeDestinationReads } from "./route-destinations.ts";

const routeKinds = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"] as const;
const orders = exampleService("orders", "team", "10.96.0.21");
const ordersRoute: VirtualService = withSpec(virtualServiceTo("istiod.istio-system.svc.cluster.local"), {
	hosts: ["orders.team.svc.cluster.local"],
});

/** A Service lends the identity of a shared waypoint to no route that stands there before it is bound. */
export const serviceWaypointRoute: Rule<"Service"> = {
	id: "service-waypoint-route",
	kind: "Service",
	family: "policy",
	severity: "warning",
	reads: [...routeDestinationReads, ...routeKinds],
	confirms: ["Namespace", "Service"],
	fixable: false,
	docs: {
		summary:
			"A Service should not be bound to a shared waypoint while routes lead its requests to Services of other namespaces",
		why: "A waypoint follows the routes of the Services that are bound to it, and calls what they lead to itself: a Service of another namespace sees the waypoint's identity, which it may trust more than the pods that sent the request. A route that is written for a bound Service is warned of where it is written; this is the other order.",
		fix: "Leave the Service at a waypoint of its own namespace, or lead its requests to Services of that namespace.",
		sources: [
			"istio/istio pilot/pkg/networking/core/listener_waypoint.go: getVirtualServiceForWaypoint",
			"docs/policies.md",
		],
		since: "0.1.0",
		good: withLabels(orders, { "istio.io/use-waypoint": "own" }),
		bad: withLabels(orders, {
			"istio.io/use-waypoint": "egress",
			"istio.io/use-waypoint-namespace": "istio-egress",
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint, ordersRoute],
	},
	*check(service, context) {
		const { name } = context;
		if (
			name === undefined ||
			service.spec?.type === "ExternalName" ||
			!isAtSharedWaypoint(service, context)
		) {
			return;
		}
		yield* virtualServiceProblems(service, context);
		yield* gatewayRouteProblems(service, context);
	},
};

function* virtualServiceProblems(service: Service, context: RuleContext): Generator<Problem> {
	const { namespace, inventory } = context;
	const host: ExternalHost = { host: fullName(service.metadata?.name, context), isCertain: false };
	const seen = new Set<VirtualService>();
	for (const name of namesFor(host.host)) {
		for (const route of inventory.lookup("virtualServiceByHost", name)) {
			if (route.metadata?.namespace === namespace && !seen.has(route)) {
				seen.add(route);
				const targets = virtualServiceTargets(route, namespace, inventory);
				yield* lentBy(`VirtualService ${mention(route.metadata.name ?? "")}`, targets, host, context);
			}
		}
	}
}

/** Every host by which a VirtualService of a Service's namespace can stand for it, wildcards among them. */
function namesFor(full: string): readonly string[] {
	const labels = full.split(".");
	const short = [1, 2, 3].map((count) => labels.slice(0, count).join("."));
	const wildcards = labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join(".")}`);
	return [full, ...short, ...wildcards];
}

function* gatewayRouteProblems(service: Service, context: RuleContext): Generator<Problem> {
	const { namespace, inventory } = context;
	const host: ExternalHost = {
		host: fullName(service.metadata?.name, context),
		isCertain: false,
		isGranted: true,
	};
	for (const kind of routeKinds) {
		for (const route of inventory.inNamespace(kind, namespace)) {
			if (standsOn(service, route, namespace)) {
				const targets = gatewayRouteTargets(route, namespace, inventory);
				yield* lentBy(`${kind} ${mention(route.metadata?.name ?? "")}`, targets, host, context);
			}
		}
	}
}

function standsOn(service: Service, route: GatewayRoute, home: string): boolean {
	return (route.spec?.parentRefs ?? []).some(
		({ group, kind, name, namespace }) =>
			group === "" && kind === "Service" && name === service.metadata?.name && (namespace ?? home) === home,
	);
}

/** What the targets of one route borrow; once for each route, since the Service is what is written. */
function* lentBy(
	route: string,
	targets: Iterable<RouteTarget>,
	host: ExternalHost,
	context: RuleContext,
): Generator<Problem> {
	for (const target of targets) {
		for (const problem of lentIdentity(target, host, context)) {
			const { message } = problem;
			yield {
				...problem,
				path: useWaypointPath,
				message: `${route} ${message.charAt(0).toLowerCase()}${message.slice(1)}`,
			};
			return;
		}
	}
}
