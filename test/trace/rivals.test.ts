import assert from "node:assert/strict";
import { it } from "node:test";
import { ClusterState } from "../../src/core/cluster-state.ts";
import type { AnyObject, Resources } from "../../src/core/kinds.ts";
import { kindOfObject } from "../../src/core/kinds.ts";
import { defaultSettings } from "../../src/core/settings.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
} from "../../src/rules/examples.ts";
import { traceRoute } from "../../src/trace/route.ts";

const base = [teamNamespace, egressNamespace, egressWaypoint, boundEntry];
function manifests(...objects: readonly AnyObject[]): ClusterState {
	const state = new ClusterState(defaultSettings, { offline: true });
	for (const object of objects) {
		const kind = kindOfObject(object);
		assert.ok(kind !== undefined);
		state.set(kind, object as Resources[typeof kind]);
	}
	return state;
}

const question = { host: "api.payments.example.com", port: 443, from: "team" };

it("traceRoute() is uncertain where another namespace sends the host through the same waypoint", () => {
	const rival = { ...boundEntry, metadata: { ...boundEntry.metadata, name: "pay", namespace: "billing" } };
	const { outcome, steps } = traceRoute(question, manifests(...base, rival));
	assert.deepEqual([outcome.kind, outcome.waypoint], ["blocked", "istio-egress/egress"]);
	assert.match(outcome.text, /^uncertain: /);
	assert.ok(steps.some(({ text }) => text.includes("knows only one of team/payments and billing/pay")));
});

it("traceRoute() goes through where the other entry is not bound", () => {
	const other = { ...plainEntry, metadata: { name: "pay", namespace: "billing" } };
	assert.equal(traceRoute(question, manifests(...base, other)).outcome.kind, "waypoint");
});
