import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryHostPartialWildcard } from "../../../src/rules/validity/serviceentry-host-partial-wildcard.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryHostPartialWildcard, {
	"is silent about whole labels and DYNAMIC_DNS": {
		object: { ...plainEntry, spec: { hosts: ["*.example.com"], resolution: "NONE" } },
		given: [],
		finds: [],
	},
	"warns of a wildcard inside a label": {
		object: {
			...plainEntry,
			spec: { hosts: ["*foo.example.com", "*-foo.example.com"], resolution: "NONE" },
		},
		given: [],
		finds: ["warning spec.hosts[0]", "warning spec.hosts[1]"],
	},
});
