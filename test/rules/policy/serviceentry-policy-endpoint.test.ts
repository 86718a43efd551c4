import { serviceentryPolicyEndpoint as rule } from "../../../src/rules/policy/serviceentry-policy-endpoint.ts";
import { entry, inTeam, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

const limited = { given: [team({ "allowed-hosts": "*.example.com, 198.51.100.7" })] };

function behind(...addresses: readonly string[]): object {
	return {
		hosts: ["a.example.com"],
		resolution: "STATIC",
		endpoints: addresses.map((address) => ({ address })),
	};
}

const listed = { hosts: ["a.example.com"], addresses: ["203.0.113.0/24"] };

testRule(rule, {
	"points at each address on the internet that nobody allowed": {
		object: entry(behind("198.51.100.7", "203.0.113.66", "2001:db8::66")),
		...inTeam(limited),
		finds: ["warning spec.endpoints[1].address", "warning spec.endpoints[2].address"],
	},
	"looks at listed addresses where they are where the traffic goes": [
		{
			object: entry({ ...listed, resolution: "NONE" }),
			...inTeam(limited),
			finds: ["warning spec.addresses[0]"],
		},
		{
			object: entry({ ...listed, resolution: "STATIC", addresses: ["203.0.113.9"] }),
			...inTeam(limited),
			finds: [],
		},
	],
	"leaves private addresses and names alone": {
		object: entry(behind("10.0.0.5", "files.example.org", "127.0.0.1")),
		...inTeam(limited),
		finds: [],
	},
	"is silent where hosts are not limited": {
		object: entry(behind("203.0.113.66")),
		...inTeam({ given: [team()] }),
		finds: [],
	},
	"refuses where the cluster raises it to an error": {
		object: entry(behind("203.0.113.66")),
		...inTeam({ ...limited, settings: { severities: { "serviceentry-policy-endpoint": "error" as const } } }),
		finds: ["error spec.endpoints[0].address"],
	},
});
