import { serviceentryDynamicDnsLocation } from "../../../src/rules/capture/serviceentry-dynamic-dns-location.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryDynamicDnsLocation, {
	"leaves an entry with a label of its own to the validity rules": {
		object: withSpec(boundEntry, {
			hosts: ["*.a.example.com"],
			resolution: "DYNAMIC_DNS",
			location: "MESH_INTERNAL",
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: [],
	},
});
