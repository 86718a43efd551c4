import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryEndpointList } from "../../../src/rules/validity/serviceentry-endpoint-list.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryEndpointList, {
	"refuses endpoints beside a selector, even none": {
		object: { ...plainEntry, spec: { ...plainEntry.spec, endpoints: [], workloadSelector: {} } },
		given: [],
		finds: ["error spec.endpoints"],
	},
	"refuses a second endpoint for DNS_ROUND_ROBIN": {
		object: {
			...plainEntry,
			spec: {
				...plainEntry.spec,
				resolution: "DNS_ROUND_ROBIN",
				endpoints: [{ address: "a.com" }, { address: "b.com" }],
			},
		},
		given: [],
		finds: ["error spec.endpoints"],
	},
});
