import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointTwin as rule } from "../../../src/rules/binding/serviceentry-waypoint-twin.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, judge, nameLabelPath, namespaceLabelPath, places, team } from "../../support/team.ts";

function inNamespace(namespace: string) {
	const labels = { "istio.io/use-waypoint-namespace": namespace };
	return { ...plainEntry, metadata: { ...plainEntry.metadata, labels } };
}

describe("serviceentry-waypoint-twin", () => {
	it("serviceentry-waypoint-twin refuses the policy's waypoint without its namespace, and names the label", () => {
		assert.deepEqual(places(rule, boundTo("egress")), [`error ${nameLabelPath}`]);
		const [finding] = judge(rule, boundTo("egress"));
		assert.match(finding?.message ?? "", /looks for it in team and not in istio-egress/);
		assert.match(finding?.hint ?? "", /istio\.io\/use-waypoint-namespace: istio-egress,/);
	});

	it("serviceentry-waypoint-twin refuses a namespace without a name, which Istio ignores", () => {
		assert.deepEqual(places(rule, inNamespace("elsewhere")), [`error ${namespaceLabelPath}`]);
		assert.deepEqual(places(rule, inNamespace("istio-egress"), { given: [team({})] }), [
			`error ${namespaceLabelPath}`,
		]);
	});

	it("serviceentry-waypoint-twin lets the webhook complete the namespace of the policy's waypoint", () => {
		assert.deepEqual(places(rule, inNamespace("istio-egress")), []);
	});

	it("serviceentry-waypoint-twin accepts both labels, none, an opt-out, and another name", () => {
		assert.deepEqual(places(rule, boundTo("istio-egress/egress")), []);
		assert.deepEqual(places(rule, plainEntry), []);
		assert.deepEqual(places(rule, boundTo("none")), []);
		assert.deepEqual(places(rule, boundTo("local")), []);
	});

	it("serviceentry-waypoint-twin accepts a bare name where the policy's waypoint is in the same namespace", () => {
		assert.deepEqual(places(rule, boundTo("egress"), { given: [team({ waypoint: "egress" })] }), []);
	});
});
