import { serviceentryAddressRival } from "../../../src/rules/capture/serviceentry-address-rival.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryAddressRival, {
	"does not count the entry itself": {
		object: withSpec(boundEntry, { addresses: ["203.0.113.99"] }),
		given: [
			teamNamespace,
			egressNamespace,
			egressWaypoint,
			withSpec(boundEntry, { addresses: ["203.0.113.99"] }),
		],
		finds: [],
	},
});
