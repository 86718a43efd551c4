import { serviceentryDynamicDnsWaypoint } from "../../../src/rules/capture/serviceentry-dynamic-dns-waypoint.ts";
import {
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryDynamicDnsWaypoint, {
	"only warns where ambient is not enforced": {
		object: withSpec(plainEntry, { hosts: ["*.a.example.com"], resolution: "DYNAMIC_DNS" }),
		given: [],
		finds: ["warning spec.resolution"],
	},
	"trusts the policy to bind the entry": {
		object: withSpec(plainEntry, { hosts: ["*.a.example.com"], resolution: "DYNAMIC_DNS" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: [],
	},
});
