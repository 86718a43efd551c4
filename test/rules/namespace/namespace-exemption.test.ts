import { namespaceExemption as rule } from "../../../src/rules/namespace/namespace-exemption.ts";
import { inTeam, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const namespace = team({ "exempt.serviceentry-policy-host": "until=2026-11-23 reason=SEC-1" });
const warning = ['warning metadata.annotations["egress.waymark.dev/exempt.serviceentry-policy-host"]'];

testRule(rule, {
	"is silent through the last day and warns from the day after": [
		{ object: namespace, ...inTeam({ today: "2026-11-22" }), finds: [] },
		{ object: namespace, ...inTeam({ today: "2026-11-23" }), finds: [] },
		{ object: namespace, ...inTeam({ today: "2026-11-24" }), finds: warning },
		{ object: namespace, ...inTeam({ today: "2027-01-01" }), finds: warning },
	],
	"names the day and the rule": {
		object: namespace,
		...inTeam({ today: "2027-01-01" }),
		finds: ['warning metadata.annotations["egress.waymark.dev/exempt.serviceentry-policy-host"]'],
		says: "Ran out on 2026-11-23: the rule serviceentry-policy-host denies again in this namespace",
	},
	"leaves what cannot be read to another rule": {
		object: team({ "exempt.serviceentry-policy-host": "until=2020-13-01 reason=x" }),
		...inTeam(),
		finds: [],
	},
});
