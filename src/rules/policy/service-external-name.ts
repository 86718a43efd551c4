import { ChangedInventory } from "../../core/changed-inventory.ts";
import type { Problem } from "../../core/finding.ts";
import { mention } from "../../core/finding.ts";
import type { Inventory } from "../../core/inventory.ts";
import type { AnyObject, Kind, Service, ServiceEntry, VirtualService } from "../../core/kinds.ts";
import type { Rule, RuleContext } from "../../core/rule.ts";
import { virtualServiceTargets } from "../../istio/egress/route-targets.ts";
import { isGoverned, outsideName } from "../../istio/entry/border.ts";
import { specOf } from "../../istio/entry/entry.ts";
import { formatWaypoint, isSameWaypoint } from "../../istio/waypoint/binding.ts";
import { requestedWaypoint } from "../../istio/waypoint/waypoint.ts";
import { boundEntry, teamNamespace, withAnnotations, withSpec } from "../examples.ts";
import { tlsPolicyProblems } from "./destinationrule-policy-tls.ts";
import { forbiddenHost, forbiddenServicePort } from "./limits.ts";
import {
	externalHostOf,
	gatewayRouteProblems,
	routeDestinationProblems,
	routeDestinationReads,
} from "./route-destinations.ts";

const routeIndexes = [
	"httpRouteByService",
	"grpcRouteByService",
	"tlsRouteByService",
	"tcpRouteByService",
] as const;
const reads: readonly Kind[] = [
	...routeDestinationReads,
	"HTTPRoute",
	"GRPCRoute",
	"TLSRoute",
	"TCPRoute",
	"DestinationRule",
];

function alias(externalName: string): Service {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name: "ledger", namespace: "team" },
		spec: { type: "ExternalName", externalName },
	};
}

/** The world without a Service's change, and with it. */
interface Worlds {
	readonly before: Inventory;
	readonly after: Inventory;
}

function worldsOf(service: Service, { namespace, name, inventory, old }: RuleContext): Worlds {
	const place = { kind: "Service" as const, namespace, name: name ?? "" };
	return {
		before: new ChangedInventory(inventory, { ...place, object: old }),
		after: new ChangedInventory(inventory, { ...place, object: service }),
	};
}

/** A chain of aliases that is longer is a circle, or built to tire whoever follows it. */
const mostAliases = 8;

/** The Service, and those that are aliases of it, as `NAMESPACE/NAME`. */
function aliasesOf(key: string, inventory: Inventory): ReadonlySet<string> {
	const keys = new Set([key]);
	let step = 0;
	// What is added on the way is visited, too.
	for (const each of keys) {
		for (const { metadata } of inventory.lookup("serviceByExternalName", each)) {
			keys.add(`${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`);
		}
		step++;
		if (step > mostAliases) {
			break;
		}
	}
	return keys;
}

/** What a change of where names lead does to an entry. */
function* entryProblems(entry: ServiceEntry, { before, after }: Worlds): Iterable<Problem> {
	const namespace = entry.metadata?.namespace ?? "";
	const policy = after.policy(namespace);
	const path = ["spec", "externalName"];
	const { hosts, endpoints, selector } = specOf(entry);
	const targets =
		endpoints.length > 0
			? endpoints.map(({ address }) => address ?? "")
			: selector === undefined
				? hosts
				: [];
	for (const target of targets) {
		const name = outsideName(target, after);
		if (name !== undefined && name !== outsideName(target, before)) {
			yield* forbiddenHost("Destination", name, path, policy);
		}
	}
	if (
		isGoverned(entry, { namespace, inventory: before }) ||
		!isGoverned(entry, { namespace, inventory: after })
	) {
		return;
	}
	for (const host of hosts) {
		yield* forbiddenHost("Host", host, path, policy);
	}
	for (const port of entry.spec?.ports ?? []) {
		yield* forbiddenServicePort(port, path, policy);
	}
	const { waypoint } = policy;
	const labels = after.get("Namespace", "", namespace)?.metadata?.labels;
	const request = requestedWaypoint(entry.metadata?.labels, namespace, labels);
	if (
		waypoint !== undefined &&
		waypoint !== "none" &&
		!(request.asked && isSameWaypoint(request.waypoint, waypoint))
	) {
		yield {
			path,
			message: `It is not bound to the waypoint ${formatWaypoint(waypoint)} of the policy`,
			hint: "Bind the entry first",
		};
	}
}

/** An object that leads to a Service or says how it is reached, and what its namespace's policy says of it in some world. */
interface Dependent {
	readonly what: string;
	readonly namespace: string;
	problems(context: RuleContext): Iterable<Problem>;
}

/** Everything but entries that depends on where a Service leads: routes of any namespace, roots of delegates, DestinationRules. */
function* dependentsOf(key: string, inventory: Inventory): Iterable<Dependent> {
	const [namespace = "", name = ""] = key.split("/");
	for (const route of inventory.lookup("virtualServiceByService", key)) {
		yield routeDependent(route);
		const child = `${route.metadata?.namespace ?? ""}/${route.metadata?.name ?? ""}`;
		for (const root of inventory.lookup("virtualServiceByDelegate", child)) {
			yield routeDependent(root);
		}
	}
	for (const index of routeIndexes) {
		for (const route of inventory.lookup(index, key)) {
			yield dependent(route, (context) => gatewayRouteProblems(route, context));
		}
	}
	const full = `${name}.${namespace}.svc.${inventory.mesh.clusterDomain}`;
	for (const host of [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, full]) {
		for (const rule of inventory.lookup("destinationRuleByHost", host)) {
			if (host.includes(".") || rule.metadata?.namespace === namespace) {
				yield dependent(rule, (context) => tlsPolicyProblems(rule, context));
			}
		}
	}
}

function routeDependent(route: VirtualService): Dependent {
	return dependent(route, (context) => {
		const targets = virtualServiceTargets(route, context.namespace, context.inventory);
		return routeDestinationProblems(targets, externalHostOf(route, context), context);
	});
}

function dependent({ kind, metadata }: AnyObject, problems: Dependent["problems"]): Dependent {
	const namespace = metadata?.namespace ?? "";
	return { what: `${kind} ${mention(`${namespace}/${metadata?.name ?? ""}`)}`, namespace, problems };
}

/** An ExternalName Service leads entries and routes nowhere that their namespace may not reach. */
export const serviceExternalName: Rule<"Service"> = {
	id: "service-external-name",
	kind: "Service",
	family: "policy",
	severity: "error",
	reads,
	confirms: ["Namespace", "Service"],
	fixable: false,
	docs: {
		summary: "An ExternalName Service must not lead entries or routes where their namespace may not go",
		why: "A waypoint finds an endpoint by DNS, and the name of an ExternalName Service is an alias: whoever changes the alias changes where the traffic of an entry goes that was judged before, past the hosts that the policy allows. Only Services to which an entry or a route leads, by way of other aliases too, are judged: with the ports, the gateways and the DestinationRules that then count.",
		fix: "Name a host that the namespace may reach, or ask the security team to allow it.",
		sources: [
			"istio/istio pilot/pkg/networking/core/cluster_waypoint.go: buildWaypointInboundVIPCluster",
			"docs/policies.md",
		],
		since: "0.1.0",
		good: alias("ledger.example.com"),
		bad: alias("files.example.org"),
		given: [
			withAnnotations(teamNamespace, { "egress.waymark.dev/allowed-hosts": "*.example.com" }),
			withSpec(boundEntry, { endpoints: [{ address: "ledger.team.svc.cluster.local" }] }),
		],
	},
	*check(service, context) {
		const { namespace, name, inventory } = context;
		if (service.spec?.type !== "ExternalName" || name === undefined) {
			return;
		}
		const worlds = worldsOf(service, context);
		const said = new Set<string>();
		for (const key of aliasesOf(`${namespace}/${name}`, inventory)) {
			for (const entry of inventory.lookup("serviceEntryByService", key)) {
				const what = `ServiceEntry ${mention(`${entry.metadata?.namespace ?? ""}/${entry.metadata?.name ?? ""}`)}`;
				const [problem] = said.has(what) ? [] : entryProblems(entry, worlds);
				if (problem !== undefined) {
					said.add(what);
					yield { ...problem, message: `Leads the traffic of ${what} elsewhere: ${lower(problem.message)}` };
				}
			}
			yield* dependentProblems(key, worlds, context);
		}
	},
};

/** What is wrong with what depends on a Service once that is an alias, and was not before. */
function* dependentProblems(key: string, { before, after }: Worlds, context: RuleContext): Iterable<Problem> {
	const [namespace = "", name = ""] = key.split("/");
	const host = `${name}.${namespace}.svc.${after.mesh.clusterDomain}`;
	if (outsideName(host, after) === outsideName(host, before)) {
		return;
	}
	for (const { what, namespace: home, problems } of dependentsOf(key, after)) {
		const within = (inventory: Inventory): RuleContext => ({
			...context,
			namespace: home,
			policy: inventory.policy(home),
			inventory,
		});
		const had = new Set([...problems(within(before))].map(({ message }) => message));
		const fresh = [...problems(within(after))].filter(({ message }) => !had.has(message));
		const problem = fresh.find(({ severity }) => severity === undefined) ?? fresh[0];
		if (problem !== undefined) {
			const { severity, message, hint } = problem;
			yield {
				path: ["spec", "externalName"],
				message: `Leads requests of ${what} elsewhere: ${lower(message)}`,
				...(severity === undefined ? {} : { severity }),
				...(hint === undefined ? {} : { hint }),
			};
		}
	}
}

function lower(message: string): string {
	return message.charAt(0).toLowerCase() + message.slice(1);
}
