import type { LabelSelector } from "../../../src/core/kinds.ts";
import type { ServiceEntryVisibility } from "../../../src/core/mesh.ts";
import { serviceentryWaypointVisibility as rule } from "../../../src/rules/binding/serviceentry-waypoint-visibility.ts";
import { plainEntry } from "../../../src/rules/examples.ts";
import { boundTo, inTeam, nameLabelPath, team, waypoint } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const bound = boundTo("istio-egress/egress");
const error = [`error ${nameLabelPath}`];

function mesh(serviceEntryVisibility: ServiceEntryVisibility, istioMinor = 31) {
	return { mesh: { serviceEntryVisibility, istioMinor } };
}

function policy(visibility: "PUBLIC" | "NAMESPACE", ...selectors: (LabelSelector | undefined)[]) {
	return { visibility, rules: selectors.map((namespaceSelector) => ({ namespaceSelector })) };
}

const everyone = mesh({ defaultVisibility: "NAMESPACE", policies: [] });
const ambient = { matchLabels: { "istio.io/dataplane-mode": "ambient" } };

const both: ServiceEntryVisibility = {
	defaultVisibility: "PUBLIC",
	policies: [policy("NAMESPACE", ambient, { matchLabels: { a: "b" } })],
};

testRule(rule, {
	"refuses a waypoint of another namespace under visibility NAMESPACE": [
		{ object: bound, ...inTeam(everyone), finds: error },
		{ object: plainEntry, ...inTeam(everyone), finds: ["error metadata.labels"] },
	],
	"accepts a waypoint of the same namespace": {
		object: boundTo("local"),
		given: [team({}), waypoint("team/local")],
		...everyone,
		finds: [],
	},
	"knows nothing of it before Istio 1.31 or without configuration": [
		{ object: bound, ...inTeam(mesh({ defaultVisibility: "NAMESPACE", policies: [] }, 30)), finds: [] },
		{ object: bound, ...inTeam(), finds: [] },
	],
	"accepts PUBLIC, and NONE, which istiod binds to nothing at all": [
		...(["PUBLIC", "NONE"] as const).map((defaultVisibility) => ({
			object: bound,
			...inTeam(mesh({ defaultVisibility, policies: [] })),
			finds: [],
		})),
	],
	"lets the first policy decide of which every rule matches": [
		{
			object: bound,
			...inTeam(
				mesh({
					defaultVisibility: "NAMESPACE",
					policies: [policy("PUBLIC", ambient), policy("NAMESPACE", ambient)],
				}),
			),
			finds: [],
		},
		{ object: bound, ...inTeam(mesh(both)), finds: [] },
	],
	"a policy without rules matches all, a rule without a selector nothing": [
		{
			object: bound,
			...inTeam(mesh({ defaultVisibility: "PUBLIC", policies: [policy("NAMESPACE")] })),
			finds: error,
		},
		{
			object: bound,
			...inTeam(mesh({ defaultVisibility: "PUBLIC", policies: [policy("NAMESPACE", undefined)] })),
			finds: [],
		},
	],
	"is silent of a waypoint that does not exist": { object: bound, given: [team()], ...everyone, finds: [] },
});
