import { serviceentryAddressReading } from "../../../src/rules/capture/serviceentry-address-reading.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryAddressReading, {
	"warns of zones and host bits, in IPv6 too": {
		object: withSpec(boundEntry, {
			resolution: "NONE",
			addresses: ["fe80::1%eth0", "2001:db8::1/32", "203.0.113.0/24"],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["warning spec.addresses[0]", "warning spec.addresses[1]"],
	},
	"refuses what only the validation can read": {
		object: withSpec(boundEntry, { resolution: "NONE", addresses: ["fe80::1%a/b/c"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["error spec.addresses[0]"],
	},
});
