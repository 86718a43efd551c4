import { namespaceEditor as rule } from "../../../src/rules/namespace/namespace-editor.ts";
import { inTeam, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const settings = { policyEditors: { users: ["alice"], groups: ["security"] } };
const mallory = { username: "mallory", groups: ["developers", "system:authenticated"] };
const mode = 'error metadata.annotations["egress.waymark.dev/mode"]';

const circumstances = { old: team({}), requester: mallory };

testRule(rule, {
	...Object.fromEntries(
		(
			[
				["add", {}, { mode: "off" }],
				["change", { mode: "enforce" }, { mode: "off" }],
				["remove", { mode: "enforce" }, {}],
			] as const
		).map(([change, before, after]) => {
			const circumstances = { settings, old: team(before), requester: mallory };
			return [
				`refuses that others ${change} an annotation`,
				{
					object: team(after),
					...inTeam(circumstances),
					finds: [mode],
					says: `User "mallory" is no policy editor and may not ${change} it`,
				},
			];
		}),
	),
	"refuses annotations on a namespace that others create": {
		object: team({ mode: "off" }),
		...inTeam({ settings, requester: mallory }),
		finds: [mode],
	},
	"sees null annotations as removed ones": {
		object: { ...team(), metadata: { name: "team", annotations: null } },
		...inTeam({ settings, old: team({ mode: "warn" }), requester: mallory }),
		finds: [mode],
	},
	"lets named users and members of named groups write them": [
		...[
			{ username: "alice", groups: [] },
			{ username: "bob", groups: ["x", "security"] },
		].map((requester) => ({
			object: team({ mode: "off" }),
			...inTeam({ settings, old: team({ mode: "enforce" }), requester }),
			finds: [],
		})),
	],
	"does not take a group for a user or a user for a group": [
		...[
			{ username: "security", groups: [] },
			{ username: "eve", groups: ["alice"] },
		].map((requester) => ({
			object: team({ mode: "off" }),
			...inTeam({ settings, old: team({}), requester }),
			finds: [mode],
		})),
	],
	"lets anybody keep them while other fields change": {
		object: team({ mode: "enforce" }, { owner: "mallory" }),
		...inTeam({ settings, old: team({ mode: "enforce" }), requester: mallory }),
		finds: [],
	},
	"lets nobody else in where the configuration names nobody at all": [
		{
			object: team({ mode: "off" }),
			...inTeam({ ...circumstances, settings: { policyEditors: {} } }),
			finds: [mode],
		},
		{ object: team({ mode: "off" }), ...inTeam(circumstances), finds: [] },
	],
	"is silent outside admission, where nobody asks": {
		object: team({ mode: "off" }),
		...inTeam({ settings, old: team({}) }),
		finds: [],
	},
});
