import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryAddressForm } from "../../../src/rules/validity/serviceentry-address-form.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryAddressForm, {
	"reads addresses as Go does": {
		object: {
			...plainEntry,
			spec: { addresses: ["fe80::1%eth0", "::ffff:1.2.3.4", "1.2.3.4/24", "fe80::1%a/b/c"] },
		},
		given: [],
		finds: [],
	},
	"refuses leading zeros, zones in blocks and names": {
		object: {
			...plainEntry,
			spec: { addresses: ["01.2.3.4", "1.2.3.4/024", "fe80::1%eth0/64", "a.com", "1.2.3.4/1/2", ""] },
		},
		given: [],
		finds: [0, 1, 2, 3, 4, 5].map((index) => `error spec.addresses[${index}]`),
	},
});
