import { namespaceExemptionLimits as rule } from "../../../src/rules/namespace/namespace-exemption-limits.ts";
import { inTeam, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const exempting = (value: string) => team({ "exempt.serviceentry-policy-host": value });
const error = ['error metadata.annotations["egress.waymark.dev/exempt.serviceentry-policy-host"]'];
const today = "2026-11-23";

const settings = { exemptions: { requireOwner: true, requireTicket: true } };

testRule(rule, {
	"demands nothing unless the configuration does": {
		object: exempting("until=2199-12-31 reason=x"),
		...inTeam({ today }),
		finds: [],
	},
	"wants an owner and a ticket where they are required": [
		{
			object: exempting("until=2199-12-31 reason=x owner=shop ticket=A-1"),
			...inTeam({ today, settings }),
			finds: [],
		},
		{
			object: exempting("until=2199-12-31 reason=x"),
			...inTeam({ today, settings }),
			finds: [...error, ...error],
		},
		{
			object: exempting("until=2199-12-31 reason=x ticket=A-1"),
			...inTeam({ today, settings }),
			finds: ['error metadata.annotations["egress.waymark.dev/exempt.serviceentry-policy-host"]'],
			says: "Names no owner, which this cluster requires of exemptions",
		},
	],
	"allows the longest duration, and not a day more": [
		{
			object: exempting("until=2026-12-23 reason=x"),
			...inTeam({ today, settings: { exemptions: { longestDays: 30 } } }),
			finds: [],
		},
		{
			object: exempting("until=2026-12-24 reason=x"),
			...inTeam({ today, settings: { exemptions: { longestDays: 30 } } }),
			finds: ['error metadata.annotations["egress.waymark.dev/exempt.serviceentry-policy-host"]'],
			says: "Lasts 31 days from today, and this cluster allows 30",
		},
	],
});
