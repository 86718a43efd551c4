import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryEndpointPort } from "../../../src/rules/validity/serviceentry-endpoint-port.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryEndpointPort, {
	"refuses names of 63 characters, which istiod alone would take": {
		object: {
			...plainEntry,
			spec: {
				resolution: "STATIC",
				ports: [{ number: 1, name: "a".repeat(63) }],
				endpoints: [{ address: "1.2.3.4", ports: { ["a".repeat(63)]: 1 } }],
			},
		},
		given: [],
		finds: [`error spec.endpoints[0].ports.${"a".repeat(63)}`],
	},
	"refuses numbers out of range": {
		object: {
			...plainEntry,
			spec: {
				resolution: "STATIC",
				ports: [{ number: 1, name: "a" }],
				endpoints: [{ address: "1.2.3.4", ports: { a: 0 } }],
			},
		},
		given: [],
		finds: ["error spec.endpoints[0].ports.a"],
	},
});
