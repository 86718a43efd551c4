import type { ServiceEntry } from "../../../src/core/kinds.ts";
import { serviceentryWaypointRival as rule } from "../../../src/rules/binding/serviceentry-waypoint-rival.ts";
import { boundEntry, plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { boundTo, inTeam, surroundings, team, waypoint } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

function of(namespace: string, entry: ServiceEntry = boundEntry): ServiceEntry {
	return { ...entry, metadata: { ...entry.metadata, name: "maps", namespace } };
}

function beside(...others: readonly ServiceEntry[]): { readonly given: readonly object[] } {
	return { given: [team(), ...surroundings, ...others] };
}

const first = ["error spec.hosts[0]"];

const own = boundTo("billing/own", plainEntry);

testRule(rule, {
	"refuses a host that another namespace sends through the same waypoint": {
		object: boundEntry,
		...inTeam(beside(of("billing"))),
		finds: first,
		says: /^ServiceEntry billing\/maps sends "api.payments.example.com"/,
	},
	"refuses it before the labels are there, too": {
		object: plainEntry,
		...inTeam(beside(of("billing"))),
		finds: first,
	},
	"names each host of lists that overlap, in any spelling": {
		object: withSpec(boundEntry, { hosts: ["a.example.com", "API.payments.example.com."] }),
		...inTeam(beside(of("billing"))),
		finds: ["error spec.hosts[1]"],
	},
	"accepts its own namespace, another waypoint, and entries without one": [
		{ object: boundEntry, ...inTeam(beside(of("team"))), finds: [] },
		{ object: boundEntry, ...inTeam(beside(of("billing", plainEntry))), finds: [] },
		{
			object: boundEntry,
			given: [team(), ...surroundings, waypoint("billing/own"), of("billing", own)],
			finds: [],
		},
	],
	"counts an entry that is really bound, and not one that only asks": {
		object: boundEntry,
		...inTeam(beside(of("billing", boundTo("istio-egress/gone", plainEntry)))),
		finds: [],
	},
});
