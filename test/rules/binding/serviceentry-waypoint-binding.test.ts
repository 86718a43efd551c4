import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEngine } from "../../../src/core/engine.ts";
import { evaluate } from "../../../src/core/evaluate.ts";
import type { ServiceEntry } from "../../../src/core/kinds.ts";
import { applyEdits } from "../../../src/core/patch.ts";
import type { Rule } from "../../../src/core/rule.ts";
import { serviceentryWaypointBinding as rule } from "../../../src/rules/binding/serviceentry-waypoint-binding.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { subjectOf, world } from "../../support/rule-example.ts";
import type { Circumstances } from "../../support/team.ts";
import {
	boundTo,
	entry,
	inTeam,
	judge,
	listeners,
	places,
	surroundings,
	team,
	waypoint,
} from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const bothLabels = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };
const found = ["error metadata.labels"];

function fixed(object: ServiceEntry = plainEntry, circumstances: Circumstances = {}): unknown {
	const fixes = judge(rule, object, circumstances).flatMap((each) => each.fix ?? []);
	return applyEdits(object, fixes).metadata?.labels;
}

const unfit: readonly [string, ReturnType<typeof waypoint> | undefined][] = [
	["does not exist", undefined],
	["is no waypoint", waypoint("istio-egress/egress", { spec: { gatewayClassName: "istio", listeners: [] } })],
	["admits its own namespace only", waypoint("istio-egress/egress", { spec: listeners(undefined) })],
	["serves workloads", waypoint("istio-egress/egress", { labels: { "istio.io/waypoint-for": "workload" } })],
	["belongs to another revision", waypoint("istio-egress/egress", { labels: { "istio.io/rev": "canary" } })],
	[
		"has a selector that would stop istiod",
		waypoint("istio-egress/egress", {
			spec: listeners({
				from: "Selector",
				selector: { matchExpressions: [{ key: "a", operator: "Gt", values: ["1"] }] },
			}),
		}),
	],
];
const mesh = { serviceEntryVisibility: { defaultVisibility: "NAMESPACE", policies: [] } } as const;
const namespace = team({ waypoint: "istio-egress/egress" }, bothLabels);
const { location: _, ...spec } = plainEntry.spec ?? {};

testRule(rule, {
	"takes a location that is absent, null or unknown for external": [
		{ object: entry({ location: null }), ...inTeam(), finds: found },
		{ object: { ...plainEntry, spec }, ...inTeam(), finds: found },
	],
	"leaves an internal entry alone, and one that another rule refuses": [
		{
			object: entry({ location: "MESH_INTERNAL", workloadSelector: { labels: { app: "vm" } } }),
			...inTeam(),
			finds: [],
		},
		{ object: entry({ location: "MESH_INTERNAL" }), ...inTeam(), finds: [] },
	],
	"binds what leaves the cluster, whatever its location says": [
		...[
			{ hosts: ["db.partner.corp"] },
			{ resolution: "STATIC", endpoints: [{ address: "10.99.0.1" }] },
			{
				hosts: ["proxy.team.svc.cluster.local"],
				resolution: "STATIC",
				endpoints: [{ address: "10.99.0.1" }],
			},
			{ hosts: ["net.team.svc.cluster.local"], resolution: "NONE", addresses: ["10.99.0.0/24"] },
		].map((spec) => {
			const judged = entry({ ...spec, location: "MESH_INTERNAL" });
			return { object: judged, ...inTeam(), finds: ["error metadata.labels"] };
		}),
	],
	"adds nothing to an entry that its own labels bind": {
		object: boundTo("istio-egress/egress"),
		...inTeam(),
		finds: [],
	},
	"adds nothing where the namespace's own labels are all there is": {
		object: plainEntry,
		given: [team({}, bothLabels), ...surroundings],
		finds: [],
	},
	"adds both labels where a policy names what the namespace's labels name": {
		object: plainEntry,
		given: [namespace, ...surroundings],
		finds: ["error metadata.labels"],
	},
	"binds no second namespace to a host of the same waypoint": {
		object: plainEntry,
		given: [
			team(),
			...surroundings,
			boundTo("istio-egress/egress", {
				...plainEntry,
				metadata: { name: "a", namespace: "other" },
			}),
		],
		finds: [],
	},
	"takes the namespace's label for the policy where nothing else names a waypoint": {
		object: plainEntry,
		given: [team({}, bothLabels), ...surroundings],
		finds: [],
	},
	"says nothing where no policy names a waypoint": {
		object: plainEntry,
		given: [team({}), ...surroundings],
		finds: [],
	},
	"says nothing of an entry that opts out": { object: boundTo("none"), ...inTeam(), finds: [] },
	"adds a waypoint that is not ready yet, so that both may be applied together": {
		object: plainEntry,
		given: [team(), waypoint("istio-egress/egress", { status: {} })],
		finds: found,
	},
	...Object.fromEntries(
		unfit.map(([what, gateway]) => {
			const given = [team(), ...(gateway === undefined ? [] : [gateway])];
			return [`never binds to a waypoint that ${what}`, { object: plainEntry, given, finds: [] }];
		}),
	),
	"binds to a waypoint whose class is not known": {
		object: plainEntry,
		given: [team(), waypoint("istio-egress/egress", { spec: { gatewayClassName: "acme-waypoint" } })],
		finds: found,
	},
	"does not bind across namespaces where the mesh forbids it": [
		{ object: plainEntry, ...inTeam({ mesh }), finds: [] },
		{ object: plainEntry, ...inTeam({ mesh: { ...mesh, istioMinor: 30 } }), finds: found },
	],
});

describe("serviceentry-waypoint-binding", () => {
	it("serviceentry-waypoint-binding adds both labels of the policy's waypoint to a plain entry", () => {
		assert.deepEqual(places(rule, plainEntry), found);
		assert.deepEqual(fixed(), bothLabels);
	});

	it("serviceentry-waypoint-binding adds both labels where labels are null or others are there", () => {
		assert.deepEqual(fixed({ ...plainEntry, metadata: { namespace: "team", labels: null } }), bothLabels);
		const other = { ...plainEntry, metadata: { namespace: "team", labels: { app: "shop" } } };
		assert.deepEqual(fixed(other), { app: "shop", ...bothLabels });
	});

	it("serviceentry-waypoint-binding adds the policy's waypoint where the namespace's label names another", () => {
		const namespace = team({ waypoint: "istio-egress/egress" }, { "istio.io/use-waypoint": "local" });
		const given = [namespace, waypoint("team/local"), ...surroundings];
		assert.deepEqual(fixed(plainEntry, { given }), bothLabels);
	});

	it("serviceentry-waypoint-binding adds the policy's waypoint where the namespace's label opts out", () => {
		const namespace = team({ waypoint: "istio-egress/egress" }, { "istio.io/use-waypoint": "none" });
		assert.deepEqual(fixed(plainEntry, { given: [namespace, ...surroundings] }), bothLabels);
	});

	it("serviceentry-waypoint-binding reads a bare name as a waypoint of the namespace itself", () => {
		const given = [team({ waypoint: "local" }), waypoint("team/local", { spec: listeners(undefined) })];
		assert.deepEqual(fixed(plainEntry, { given }), {
			"istio.io/use-waypoint": "local",
			"istio.io/use-waypoint-namespace": "team",
		});
	});

	it("serviceentry-waypoint-binding takes the cluster's default, unless the namespace says none", () => {
		const settings = { defaults: { waypoint: "istio-egress/egress" } };
		assert.deepEqual(fixed(plainEntry, { given: [team({}), ...surroundings], settings }), bothLabels);
		const given = [team({ waypoint: "none" }), ...surroundings];
		assert.deepEqual(places(rule, plainEntry, { given, settings }), []);
	});

	it("serviceentry-waypoint-binding completes the author's namespace label and never overwrites it", () => {
		const labelled = (namespace: string) => ({
			...plainEntry,
			metadata: { namespace: "team", labels: { "istio.io/use-waypoint-namespace": namespace } },
		});
		assert.deepEqual(fixed(labelled("istio-egress")), bothLabels);
		assert.deepEqual(places(rule, labelled("elsewhere")), []);
	});

	for (const [mode, decision, warnings, fixes] of [
		["enforce", "deny", 0, 2],
		["warn", "allow", 1, 2],
		["audit", "allow", 0, 0],
		["off", "allow", 0, 0],
	] as const) {
		it(`serviceentry-waypoint-binding in mode ${mode}: ${decision}, ${warnings} warnings, ${fixes} edits`, () => {
			const given = [team({ waypoint: "istio-egress/egress", mode }), ...surroundings];
			const engine = createEngine([rule as unknown as Rule]);
			const verdict = evaluate(engine, world(given), subjectOf(plainEntry));
			assert.equal(verdict.decision, decision);
			assert.equal(verdict.warnings.length, warnings);
			assert.equal(verdict.fixes.length, fixes);
		});
	}
});
