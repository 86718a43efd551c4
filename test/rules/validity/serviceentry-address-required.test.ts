import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryAddressRequired } from "../../../src/rules/validity/serviceentry-address-required.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryAddressRequired, {
	"compares the protocol as written, as istiod does": {
		object: {
			...plainEntry,
			spec: {
				resolution: "NONE",
				ports: [
					{ number: 1, name: "a", protocol: "TCP" },
					{ number: 2, name: "b", protocol: "tcp" },
					{ number: 3, name: "c" },
				],
			},
		},
		given: [],
		finds: ["warning spec.ports[0].protocol", "warning spec.ports[2].protocol"],
	},
});
