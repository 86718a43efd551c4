import type { KubernetesGateway, ServiceEntry } from "../../../src/core/kinds.ts";
import { kubernetesgatewayBoundEntries as rule } from "../../../src/rules/binding/kubernetesgateway-bound-entries.ts";
import { boundEntry, egressNamespace, egressWaypoint, withLabels } from "../../../src/rules/examples.ts";
import { listeners, team } from "../../support/team.ts";
import type { RuleCase } from "../../support/test-rule.ts";
import { testRule } from "../../support/test-rule.ts";

const error = ["error metadata"];

function named(name: string, namespace = "team"): ServiceEntry {
	return { ...boundEntry, metadata: { ...boundEntry.metadata, name, namespace } };
}

function after(object: KubernetesGateway, given: readonly object[] = [boundEntry]): Omit<RuleCase, "finds"> {
	return {
		object,
		given: [team(), egressNamespace, egressWaypoint, ...(given as ServiceEntry[])],
		old: egressWaypoint,
	};
}

const changes: Readonly<Record<string, KubernetesGateway>> = {
	"serves workloads": withLabels(egressWaypoint, { "istio.io/waypoint-for": "workload" }),
	"is open to its own namespace": {
		...egressWaypoint,
		spec: { ...egressWaypoint.spec, ...listeners({ from: "Same" }) },
	},
	"is open to others": {
		...egressWaypoint,
		spec: {
			...egressWaypoint.spec,
			...listeners({ from: "Selector", selector: { matchLabels: { team: "other" } } }),
		},
	},
	"listens on another port": {
		...egressWaypoint,
		spec: { ...egressWaypoint.spec, ...listeners({ from: "All" }, { port: 15009 }) },
	},
};

const labels = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };
const given = [team({ ambient: "enforced" }, labels), egressNamespace, egressWaypoint];
const judged = withLabels(egressWaypoint, { "istio.io/waypoint-for": "none" });
const plain = { ...boundEntry, metadata: { name: "payments", namespace: "team" } };

testRule(rule, {
	...Object.fromEntries(
		Object.entries(changes).map(([what, changed]) => [
			`refuses a waypoint that ${what} from now on`,
			[
				{ ...after(changed), finds: error },
				{ ...after(changed, []), finds: [] },
			],
		]),
	),
	"counts all entries and names three": {
		object: changes["serves workloads"] ?? {},
		given: [team(), egressNamespace, egressWaypoint, ...["a", "b", "c", "d", "e"].map((name) => named(name))],
		old: egressWaypoint,
		finds: ["error metadata"],
		says: /5 ServiceEntries \(team\/a, team\/b, team\/c and 2 more\)/,
	},
	"counts entries that their namespace binds, and no others": [
		{ object: judged, given: [...given, plain], old: egressWaypoint, finds: error },
		{
			object: judged,
			given: [...given, withLabels(plain, { "istio.io/use-waypoint": "none" })],
			old: egressWaypoint,
			finds: [],
		},
	],
	"only warns where the change is confirmed, or ambient is not enforced": [
		{
			...after({
				...(changes["serves workloads"] ?? egressWaypoint),
				metadata: {
					...(changes["serves workloads"] ?? egressWaypoint).metadata,
					annotations: { "egress.waymark.dev/confirm": "SEC-1 moved" },
				},
			}),
			finds: ["warning metadata"],
		},
		{
			object: changes["serves workloads"] ?? egressWaypoint,
			given: [team({ ambient: "permitted" }), egressNamespace, egressWaypoint, boundEntry],
			old: egressWaypoint,
			finds: ["warning metadata"],
		},
	],
	"warns of a class that is not known to make waypoints": [
		...["istio", "nginx"].map((gatewayClassName) => ({
			...after({ ...egressWaypoint, spec: { ...egressWaypoint.spec, gatewayClassName } }),
			finds: ["warning spec.gatewayClassName"],
			says: new RegExp(
				`^Class ${gatewayClassName} is not known to make waypoints: ztunnel would drop the traffic of 1 ServiceEntry`,
			),
		})),
		{
			...after({ ...egressWaypoint, spec: { ...egressWaypoint.spec, gatewayClassName: "nginx" } }),
			settings: { waypoints: { classes: ["nginx"] } },
			finds: [],
		},
		{
			...after({ ...egressWaypoint, spec: { ...egressWaypoint.spec, gatewayClassName: "istio" } }, []),
			finds: [],
		},
	],
	"accepts what takes no waypoint from anybody, and creations": [
		{ ...after(withLabels(egressWaypoint, { "istio.io/waypoint-for": "all", color: "blue" })), finds: [] },
		{ object: changes["serves workloads"] ?? egressWaypoint, given: [team(), boundEntry], finds: [] },
	],
});
