import { serviceentryWaypointTwin as rule } from "../../../src/rules/binding/serviceentry-waypoint-twin.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, inTeam, nameLabelPath, namespaceLabelPath, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

function inNamespace(namespace: string) {
	const labels = { "istio.io/use-waypoint-namespace": namespace };
	return { ...plainEntry, metadata: { ...plainEntry.metadata, labels } };
}

testRule(rule, {
	"refuses the policy's waypoint without its namespace, and names the label": {
		object: boundTo("egress"),
		...inTeam(),
		finds: [`error ${nameLabelPath}`],
		says: /looks for it in team and not in istio-egress/,
		hints: /istio\.io\/use-waypoint-namespace: istio-egress,/,
	},
	"refuses a namespace without a name, which Istio ignores": [
		{ object: inNamespace("elsewhere"), ...inTeam(), finds: [`error ${namespaceLabelPath}`] },
		{ object: inNamespace("istio-egress"), given: [team({})], finds: [`error ${namespaceLabelPath}`] },
	],
	"lets the webhook complete the namespace of the policy's waypoint": {
		object: inNamespace("istio-egress"),
		...inTeam(),
		finds: [],
	},
	"accepts both labels, none, an opt-out, and another name": [
		{ object: boundTo("istio-egress/egress"), ...inTeam(), finds: [] },
		{ object: plainEntry, ...inTeam(), finds: [] },
		{ object: boundTo("none"), ...inTeam(), finds: [] },
		{ object: boundTo("local"), ...inTeam(), finds: [] },
	],
	"accepts a bare name where the policy's waypoint is in the same namespace": {
		object: boundTo("egress"),
		given: [team({ waypoint: "egress" })],
		finds: [],
	},
});
