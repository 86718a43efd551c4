import assert from "node:assert/strict";
import { it } from "node:test";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
} from "../../src/rules/examples.ts";
import { traceRoute } from "../../src/trace/route.ts";
import { world } from "../support/rule-example.ts";

const base = [teamNamespace, egressNamespace, egressWaypoint, boundEntry];
const question = { host: "api.payments.example.com", port: 443, from: "team" };

it("traceRoute() is uncertain where another namespace sends the host through the same waypoint", () => {
	const rival = { ...boundEntry, metadata: { ...boundEntry.metadata, name: "pay", namespace: "billing" } };
	const { outcome, steps } = traceRoute(question, world([...base, rival]));
	assert.deepEqual([outcome.kind, outcome.waypoint], ["blocked", "istio-egress/egress"]);
	assert.match(outcome.text, /^uncertain: /);
	assert.ok(steps.some(({ text }) => text.includes("knows only one of team/payments and billing/pay")));
});

it("traceRoute() goes through where the other entry is not bound", () => {
	const other = { ...plainEntry, metadata: { name: "pay", namespace: "billing" } };
	assert.equal(traceRoute(question, world([...base, other])).outcome.kind, "waypoint");
});
