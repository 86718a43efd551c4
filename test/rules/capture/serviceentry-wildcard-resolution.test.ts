import { serviceentryWildcardResolution } from "../../../src/rules/capture/serviceentry-wildcard-resolution.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryWildcardResolution, {
	"accepts listed addresses": {
		object: withSpec(boundEntry, {
			hosts: ["*.a.example.com"],
			resolution: "NONE",
			addresses: ["203.0.113.0/24"],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: [],
	},
	"reports each wildcard, and DYNAMIC_DNS without allocation": {
		object: withLabels(withSpec(boundEntry, { hosts: ["*.a.example.com"], resolution: "DYNAMIC_DNS" }), {
			"networking.istio.io/enable-autoallocate-ip": "false",
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["error spec.hosts[0]"],
	},
});
