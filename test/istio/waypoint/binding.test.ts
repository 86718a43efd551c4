import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServiceEntry } from "../../../src/core/kinds.ts";
import type { EntryBinding } from "../../../src/istio/waypoint/binding.ts";
import {
	entryBinding,
	formatWaypoint,
	hasReadableLabels,
	isSameWaypoint,
	isWaypointLabelValue,
	targetState,
} from "../../../src/istio/waypoint/binding.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { contextOf } from "../../support/context.ts";
import { boundTo, entry, surroundings, team } from "../../support/team.ts";

function bindingOf(object: ServiceEntry, namespace = team()): EntryBinding {
	return entryBinding(object, contextOf([namespace, ...surroundings]));
}

const shared = { namespace: "istio-egress", name: "egress" };
const local = { "istio.io/use-waypoint": "local" };

describe("entryBinding()", () => {
	it("entryBinding() of a plain entry expects the policy's waypoint and points at the labels", () => {
		const binding = bindingOf(plainEntry);
		assert.deepEqual(binding.expected, shared);
		assert.deepEqual(binding.target, shared);
		assert.deepEqual(binding.targetPath, ["metadata", "labels"]);
		assert.equal(binding.origin, "the policy of this namespace (annotation) names");
	});

	it("entryBinding() looks at the waypoint that the entry's own label names", () => {
		const binding = bindingOf(boundTo("elsewhere/other"));
		assert.deepEqual(binding.target, { namespace: "elsewhere", name: "other" });
		assert.deepEqual(binding.expected, shared);
		assert.deepEqual(binding.targetPath, ["metadata", "labels", "istio.io/use-waypoint"]);
		assert.equal(binding.origin, "its label names");
	});

	it("entryBinding() looks at the policy's waypoint rather than the one of the namespace's label", () => {
		assert.deepEqual(bindingOf(plainEntry, team(undefined, local)).target, shared);
		const unsaid = bindingOf(plainEntry, team({}, local));
		assert.deepEqual(unsaid.target, { namespace: "team", name: "local" });
		assert.equal(unsaid.origin, "the label of its namespace names");
	});

	it("entryBinding() expects nothing of an entry that stays inside, which its namespace's label binds all the same", () => {
		const internal = bindingOf(
			entry({ location: "MESH_INTERNAL", workloadSelector: { labels: { app: "vm" } } }),
			team(undefined, local),
		);
		assert.equal(internal.expected, undefined);
		assert.deepEqual(internal.target, { namespace: "team", name: "local" });
	});

	it("entryBinding() expects the policy's waypoint whatever an author says of the location", () => {
		assert.deepEqual(bindingOf(entry({ location: "MESH_INTERNAL" })).expected, shared);
	});

	it("entryBinding() has no target for an entry that opts out, and one where only its namespace does", () => {
		assert.equal(bindingOf(boundTo("none")).target, undefined);
		assert.deepEqual(
			bindingOf(plainEntry, team(undefined, { "istio.io/use-waypoint": "none" })).target,
			shared,
		);
		const labels = { "gateway.istio.io/managed": "istio.io-mesh-controller" };
		assert.equal(bindingOf({ ...plainEntry, metadata: { labels } }).target, undefined);
	});

	it("entryBinding() has no target where the policy says none and no label asks", () => {
		assert.equal(bindingOf(plainEntry, team({ waypoint: "none" })).target, undefined);
	});

	it("entryBinding() misses the twin only of the policy's own waypoint in another namespace", () => {
		assert.equal(bindingOf(boundTo("egress")).omittedNamespace, "istio-egress");
		assert.equal(bindingOf(boundTo("other")).omittedNamespace, undefined);
		assert.equal(bindingOf(boundTo("team/egress")).omittedNamespace, undefined);
		assert.equal(bindingOf(boundTo("egress"), team({ waypoint: "egress" })).omittedNamespace, undefined);
	});
});

describe("targetState()", () => {
	it("targetState() inspects the target, and leaves odd labels, a missing twin and opt-outs to other rules", () => {
		const context = contextOf([team(), ...surroundings]);
		assert.equal(targetState(plainEntry, context)?.state.ready, true);
		for (const label of ["None", "", "egress", "none"]) {
			assert.equal(targetState(boundTo(label), context), undefined, label);
		}
	});
});

describe("the small words of a binding", () => {
	it("isWaypointLabelValue() and hasReadableLabels() know what every part of Istio reads alike", () => {
		assert.equal(isWaypointLabelValue("none"), true);
		assert.equal(isWaypointLabelValue("None"), false);
		assert.equal(isWaypointLabelValue("a\n"), false);
		assert.equal(hasReadableLabels(plainEntry), true);
		assert.equal(hasReadableLabels(boundTo("a.b/egress")), false);
		assert.equal(hasReadableLabels({ metadata: null }), true);
	});

	it("formatWaypoint() and isSameWaypoint() go by namespace and name", () => {
		assert.equal(formatWaypoint(shared), "istio-egress/egress");
		assert.equal(formatWaypoint({ namespace: "a", name: "b\nc" }), '"a/b\uFFFDc"');
		assert.equal(isSameWaypoint(shared, { ...shared }), true);
		assert.equal(isSameWaypoint(shared, { ...shared, namespace: "team" }), false);
	});
});
