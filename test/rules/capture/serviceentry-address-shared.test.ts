import { serviceentryAddressShared } from "../../../src/rules/capture/serviceentry-address-shared.ts";
import { plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryAddressShared, {
	"is silent where no waypoint is wanted": {
		object: withSpec(plainEntry, { hosts: ["a.example.com", "b.example.com"], addresses: ["203.0.113.1"] }),
		given: [],
		finds: [],
	},
});
