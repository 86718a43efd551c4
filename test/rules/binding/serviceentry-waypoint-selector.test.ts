import { serviceentryWaypointSelector as rule } from "../../../src/rules/binding/serviceentry-waypoint-selector.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, inTeam, listeners, nameLabelPath, team, waypoint } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const bound = boundTo("istio-egress/egress");

const gt = { matchExpressions: [{ key: "tier", operator: "Gt", values: ["1"] }] };

function selecting(selector: object | undefined, from = "Selector") {
	const spec = listeners({ from, ...(selector === undefined ? {} : { selector }) });
	return { given: [team(), waypoint("istio-egress/egress", { spec })] };
}

testRule(rule, {
	"refuses to bind where the selector would stop istiod": [
		{ object: bound, ...inTeam(selecting(gt)), finds: [`error ${nameLabelPath}`] },
		{
			object: bound,
			...inTeam(selecting(gt)),
			finds: ['error metadata.labels["istio.io/use-waypoint"]'],
			says: /"Gt" is not an operator/,
		},
	],
	"refuses before the labels are there": {
		object: plainEntry,
		...inTeam(selecting(gt)),
		finds: ["error metadata.labels"],
	},
	"refuses in the waypoint's own namespace and by the namespace's label": {
		object: plainEntry,
		...inTeam({
			given: [
				team({}, { "istio.io/use-waypoint": "local" }),
				waypoint("team/local", { spec: listeners({ from: "Selector", selector: gt }) }),
			],
		}),
		finds: ["error metadata.labels"],
	},
	"accepts an absent selector, which matches nothing, and a good one": [
		{ object: bound, ...inTeam(selecting(undefined)), finds: [] },
		{ object: bound, ...inTeam(selecting({ matchLabels: { a: "b" } })), finds: [] },
	],
	"accepts a malformed selector that from: All or Same never asks": [
		{ object: bound, ...inTeam(selecting(gt, "All")), finds: [] },
		{ object: bound, ...inTeam(selecting(gt, "Same")), finds: [] },
	],
});
