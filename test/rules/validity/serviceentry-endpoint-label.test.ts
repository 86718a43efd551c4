import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryEndpointLabel } from "../../../src/rules/validity/serviceentry-endpoint-label.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryEndpointLabel, {
	"does not look at the length of a value, as istiod does not": {
		object: {
			...plainEntry,
			spec: {
				resolution: "STATIC",
				endpoints: [{ address: "1.2.3.4", labels: { a: "v".repeat(64), "example.com/b": "" } }],
			},
		},
		given: [],
		finds: [],
	},
	"refuses keys without a name": {
		object: {
			...plainEntry,
			spec: { resolution: "STATIC", endpoints: [{ address: "1.2.3.4", labels: { "example.com/": "x" } }] },
		},
		given: [],
		finds: ['error spec.endpoints[0].labels["example.com/"]'],
	},
});
