import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryWaypointExistence as rule } from "../../../src/rules/binding/serviceentry-waypoint-existence.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import {
	boundTo,
	entry,
	inTeam,
	judge,
	nameLabelPath,
	surroundings,
	team,
	waypoint,
} from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const atName = [`error ${nameLabelPath}`];
const atLabels = ["error metadata.labels"];

const inside = { location: "MESH_INTERNAL", workloadSelector: { labels: { app: "vm" } } };

testRule(rule, {
	"points at the label that names a waypoint which does not exist": {
		object: boundTo("istio-egress/egres"),
		...inTeam(),
		finds: atName,
		says: /istio-egress\/egres, which its label names/,
	},
	"says how to create the first waypoint of a namespace": {
		object: boundTo("istio-egress/egress"),
		given: [team()],
		finds: ['error metadata.labels["istio.io/use-waypoint"]'],
		hints: /istioctl waypoint apply --namespace istio-egress --name egress$/,
	},
	"speaks of the policy's waypoint where the entry says nothing": {
		object: plainEntry,
		given: [team()],
		finds: atLabels,
		says: /policy of this namespace \(annotation\) names/,
	},
	"speaks of the namespace's label, which istiod follows": {
		object: plainEntry,
		given: [team({}, { "istio.io/use-waypoint": "gone" })],
		finds: ["error metadata.labels"],
		says: /team\/gone, which the label of its namespace/,
	},
	"finds that an empty label of the namespace names no waypoint": {
		object: plainEntry,
		given: [team({}, { "istio.io/use-waypoint": "" })],
		finds: atLabels,
	},
	"sees no fall-back to a good waypoint of the namespace": {
		object: boundTo("gone"),
		given: [
			team({}, { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" }),
			...surroundings,
		],
		finds: atName,
	},
	"judges internal entries by what they and their namespace ask for only": [
		{ object: entry(inside), given: [team()], finds: [] },
		{ object: boundTo("istio-egress/gone", entry(inside)), ...inTeam(), finds: atName },
	],
	"warns where the configuration says so": {
		object: plainEntry,
		given: [team()],
		settings: { waypoints: { whenMissing: "warn" } },
		finds: ["warning metadata.labels"],
	},
	"is silent of a Gateway that exists, whatever it is": {
		object: plainEntry,
		given: [team(), waypoint("istio-egress/egress", { spec: { gatewayClassName: "nginx" } })],
		finds: [],
	},
	"leaves opt-outs, odd labels and a missing twin to their own rules": [
		...["none", "None", "", "egress"].map((label) => ({ object: boundTo(label), ...inTeam(), finds: [] })),
	],
});

describe("serviceentry-waypoint-existence", () => {
	it("serviceentry-waypoint-existence lists the Gateways that are there", () => {
		const [finding] = judge(rule, boundTo("istio-egress/egres"));
		assert.equal(finding?.hint, "Gateways in namespace istio-egress: egress");
	});

	it("serviceentry-waypoint-existence gives no command to copy for a name that no object can have", () => {
		const namespace = team({}, { "istio.io/use-waypoint": "$(id)" });
		const [finding] = judge(rule, plainEntry, { given: [namespace] });
		assert.equal(finding?.hint, "Gateways in namespace team: none");
	});
});
