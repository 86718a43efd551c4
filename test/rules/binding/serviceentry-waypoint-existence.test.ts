import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointExistence as rule } from "../../../src/rules/binding/serviceentry-waypoint-existence.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import {
	boundTo,
	entry,
	judge,
	message,
	nameLabelPath,
	places,
	surroundings,
	team,
	waypoint,
} from "../../support/team.ts";

const atName = [`error ${nameLabelPath}`];
const atLabels = ["error metadata.labels"];

describe("serviceentry-waypoint-existence", () => {
	it("serviceentry-waypoint-existence points at the label that names a waypoint which does not exist", () => {
		assert.deepEqual(places(rule, boundTo("istio-egress/egres")), atName);
		assert.match(message(rule, boundTo("istio-egress/egres")), /istio-egress\/egres, which its label names/);
	});

	it("serviceentry-waypoint-existence lists the Gateways that are there", () => {
		const [finding] = judge(rule, boundTo("istio-egress/egres"));
		assert.equal(finding?.hint, "Gateways in namespace istio-egress: egress");
	});

	it("serviceentry-waypoint-existence says how to create the first waypoint of a namespace", () => {
		const [finding] = judge(rule, boundTo("istio-egress/egress"), { given: [team()] });
		assert.match(finding?.hint ?? "", /istioctl waypoint apply --namespace istio-egress --name egress$/);
	});

	it("serviceentry-waypoint-existence gives no command to copy for a name that no object can have", () => {
		const namespace = team({}, { "istio.io/use-waypoint": "$(id)" });
		const [finding] = judge(rule, plainEntry, { given: [namespace] });
		assert.equal(finding?.hint, "Gateways in namespace team: none");
	});

	it("serviceentry-waypoint-existence speaks of the policy's waypoint where the entry says nothing", () => {
		assert.deepEqual(places(rule, plainEntry, { given: [team()] }), atLabels);
		assert.match(
			message(rule, plainEntry, { given: [team()] }),
			/policy of this namespace \(annotation\) names/,
		);
	});

	it("serviceentry-waypoint-existence speaks of the namespace's label, which istiod follows", () => {
		const labelled = team({}, { "istio.io/use-waypoint": "gone" });
		assert.match(
			message(rule, plainEntry, { given: [labelled] }),
			/team\/gone, which the label of its namespace/,
		);
	});

	it("serviceentry-waypoint-existence finds that an empty label of the namespace names no waypoint", () => {
		const labelled = team({}, { "istio.io/use-waypoint": "" });
		assert.deepEqual(places(rule, plainEntry, { given: [labelled] }), atLabels);
	});

	it("serviceentry-waypoint-existence sees no fall-back to a good waypoint of the namespace", () => {
		const namespace = team(
			{},
			{ "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" },
		);
		assert.deepEqual(places(rule, boundTo("gone"), { given: [namespace, ...surroundings] }), atName);
	});

	it("serviceentry-waypoint-existence judges internal entries by what they and their namespace ask for only", () => {
		const inside = { location: "MESH_INTERNAL", workloadSelector: { labels: { app: "vm" } } };
		assert.deepEqual(places(rule, entry(inside), { given: [team()] }), []);
		const internal = boundTo("istio-egress/gone", entry(inside));
		assert.deepEqual(places(rule, internal), atName);
	});

	it("serviceentry-waypoint-existence warns where the configuration says so", () => {
		const settings = { waypoints: { whenMissing: "warn" } };
		assert.deepEqual(places(rule, plainEntry, { given: [team()], settings }), ["warning metadata.labels"]);
	});

	it("serviceentry-waypoint-existence is silent of a Gateway that exists, whatever it is", () => {
		const given = [team(), waypoint("istio-egress/egress", { spec: { gatewayClassName: "nginx" } })];
		assert.deepEqual(places(rule, plainEntry, { given }), []);
	});

	it("serviceentry-waypoint-existence leaves opt-outs, odd labels and a missing twin to their own rules", () => {
		for (const label of ["none", "None", "", "egress"]) {
			assert.deepEqual(places(rule, boundTo(label)), [], label);
		}
	});
});
