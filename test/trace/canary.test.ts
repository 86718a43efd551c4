import assert from "node:assert/strict";
import { it } from "node:test";
import type { AnyObject } from "../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withAnnotations,
	withLabels,
} from "../../src/rules/examples.ts";
import { traceRoute } from "../../src/trace/route.ts";
import { world } from "../support/rule-example.ts";

function outcomeOf(weight: string, more: readonly AnyObject[] = [], name = "next"): string {
	const allocated = {
		...boundEntry,
		status: { addresses: [{ host: "api.payments.example.com", value: "240.240.0.7" }] },
	};
	const entry = withAnnotations(
		withLabels(allocated, {
			"istio.io/use-waypoint-canary": name,
			"istio.io/use-waypoint-canary-namespace": "istio-egress",
		}),
		{ "istio.io/use-waypoint-canary-weight": weight },
	);
	const state = world([teamNamespace, egressNamespace, egressWaypoint, entry, ...more]);
	return traceRoute({ host: "api.payments.example.com", port: 443, from: "team" }, state).outcome.text;
}

const next = { ...egressWaypoint, metadata: { name: "next", namespace: "istio-egress" } };

it("traceRoute() says which share of the connections a canary waypoint gets", () => {
	assert.equal(
		outcomeOf("30", [next]),
		"through istio-egress/egress, and 30 % of the connections through istio-egress/next",
	);
});

it("traceRoute() says nothing of a canary waypoint that is not there, gets no share or is the first one", () => {
	const same = outcomeOf("30", [], "egress");
	for (const text of [outcomeOf("30"), outcomeOf("0", [next]), outcomeOf("30%", [next]), same]) {
		assert.equal(text, "through istio-egress/egress");
	}
});
