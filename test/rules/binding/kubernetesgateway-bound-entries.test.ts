import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubernetesGateway, ServiceEntry } from "../../../src/core/kinds.ts";
import { kubernetesgatewayBoundEntries as rule } from "../../../src/rules/binding/kubernetesgateway-bound-entries.ts";
import { boundEntry, egressNamespace, egressWaypoint, withLabels } from "../../../src/rules/examples.ts";
import { judge, listeners, places, team } from "../../support/team.ts";

const error = ["error metadata"];

function named(name: string, namespace = "team"): ServiceEntry {
	return { ...boundEntry, metadata: { ...boundEntry.metadata, name, namespace } };
}

function after(object: KubernetesGateway, given: readonly object[] = [boundEntry]): readonly string[] {
	return places(rule, object, {
		given: [team(), egressNamespace, egressWaypoint, ...(given as ServiceEntry[])],
		old: egressWaypoint,
	});
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

describe("kubernetesgateway-bound-entries", () => {
	for (const [what, changed] of Object.entries(changes)) {
		it(`kubernetesgateway-bound-entries refuses a waypoint that ${what} from now on`, () => {
			assert.deepEqual(after(changed), error);
			assert.deepEqual(after(changed, []), []);
		});
	}

	it("kubernetesgateway-bound-entries counts all entries and names three", () => {
		const entries = ["a", "b", "c", "d", "e"].map((name) => named(name));
		const [finding] = judge(rule, changes["serves workloads"] ?? {}, {
			given: [team(), egressNamespace, egressWaypoint, ...entries],
			old: egressWaypoint,
		});
		assert.match(finding?.message ?? "", /5 ServiceEntries \(team\/a, team\/b, team\/c and 2 more\)/);
	});

	it("kubernetesgateway-bound-entries counts entries that their namespace binds, and no others", () => {
		const labels = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };
		const given = [team({ ambient: "enforced" }, labels), egressNamespace, egressWaypoint];
		const judged = withLabels(egressWaypoint, { "istio.io/waypoint-for": "none" });
		const plain = { ...boundEntry, metadata: { name: "payments", namespace: "team" } };
		assert.deepEqual(places(rule, judged, { given: [...given, plain], old: egressWaypoint }), error);
		const optedOut = withLabels(plain, { "istio.io/use-waypoint": "none" });
		assert.deepEqual(places(rule, judged, { given: [...given, optedOut], old: egressWaypoint }), []);
	});

	it("kubernetesgateway-bound-entries only warns where the change is confirmed, or ambient is not enforced", () => {
		const judged = changes["serves workloads"] ?? egressWaypoint;
		const annotations = { "egress.waymark.dev/confirm": "SEC-1 moved" };
		assert.deepEqual(after({ ...judged, metadata: { ...judged.metadata, annotations } }), [
			"warning metadata",
		]);
		const given = [team({ ambient: "permitted" }), egressNamespace, egressWaypoint, boundEntry];
		assert.deepEqual(places(rule, judged, { given, old: egressWaypoint }), ["warning metadata"]);
	});

	it("kubernetesgateway-bound-entries accepts what takes no waypoint from anybody, and creations", () => {
		assert.deepEqual(
			after(withLabels(egressWaypoint, { "istio.io/waypoint-for": "all", color: "blue" })),
			[],
		);
		const judged = changes["serves workloads"] ?? egressWaypoint;
		assert.deepEqual(places(rule, judged, { given: [team(), boundEntry] }), []);
	});
});
