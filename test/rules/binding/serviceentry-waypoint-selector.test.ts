import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointSelector as rule } from "../../../src/rules/binding/serviceentry-waypoint-selector.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, listeners, message, nameLabelPath, places, team, waypoint } from "../../support/team.ts";

const bound = boundTo("istio-egress/egress");
const gt = { matchExpressions: [{ key: "tier", operator: "Gt", values: ["1"] }] };

function selecting(selector: object | undefined, from = "Selector") {
	const spec = listeners({ from, ...(selector === undefined ? {} : { selector }) });
	return { given: [team(), waypoint("istio-egress/egress", { spec })] };
}

describe("serviceentry-waypoint-selector", () => {
	it("serviceentry-waypoint-selector refuses to bind where the selector would stop istiod", () => {
		assert.deepEqual(places(rule, bound, selecting(gt)), [`error ${nameLabelPath}`]);
		assert.match(message(rule, bound, selecting(gt)), /"Gt" is not an operator/);
	});

	it("serviceentry-waypoint-selector refuses before the labels are there", () => {
		assert.deepEqual(places(rule, plainEntry, selecting(gt)), ["error metadata.labels"]);
	});

	it("serviceentry-waypoint-selector refuses in the waypoint's own namespace and by the namespace's label", () => {
		const spec = listeners({ from: "Selector", selector: gt });
		const given = [team({}, { "istio.io/use-waypoint": "local" }), waypoint("team/local", { spec })];
		assert.deepEqual(places(rule, plainEntry, { given }), ["error metadata.labels"]);
	});

	it("serviceentry-waypoint-selector accepts an absent selector, which matches nothing, and a good one", () => {
		assert.deepEqual(places(rule, bound, selecting(undefined)), []);
		assert.deepEqual(places(rule, bound, selecting({ matchLabels: { a: "b" } })), []);
	});

	it("serviceentry-waypoint-selector accepts a malformed selector that from: All or Same never asks", () => {
		assert.deepEqual(places(rule, bound, selecting(gt, "All")), []);
		assert.deepEqual(places(rule, bound, selecting(gt, "Same")), []);
	});
});
