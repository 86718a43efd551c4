import { serviceentryHostSpelling } from "../../../src/rules/capture/serviceentry-host-spelling.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryHostSpelling, {
	"reports a final dot and leaves names that are none to other rules": {
		object: withSpec(boundEntry, { hosts: ["a.example.com.", "Bad_Name.example.com", "*.EXAMPLE.com"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["warning spec.hosts[0]", "warning spec.hosts[2]"],
	},
});
