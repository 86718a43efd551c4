import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryAddressBlock } from "../../../src/rules/validity/serviceentry-address-block.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryAddressBlock, {
	"accepts blocks where the resolution is NONE or absent": {
		object: { ...plainEntry, spec: { addresses: ["203.0.113.0/24"], resolution: null } },
		given: [],
		finds: [],
	},
	"names the first block only": {
		object: {
			...plainEntry,
			spec: { addresses: ["203.0.113.1", "203.0.113.0/24", "198.51.100.0/24"], resolution: "DNS" },
		},
		given: [],
		finds: ["error spec.addresses[1]"],
	},
});
