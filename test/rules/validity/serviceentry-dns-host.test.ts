import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryDnsHost } from "../../../src/rules/validity/serviceentry-dns-host.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryDnsHost, {
	"says it once for an object, as istiod does": {
		object: { ...plainEntry, spec: { hosts: ["*.a.com", "*.b.com"], resolution: "DNS_ROUND_ROBIN" } },
		given: [],
		finds: ["error spec.hosts[0]"],
	},
	"accepts a wildcard with endpoints": {
		object: {
			...plainEntry,
			spec: { hosts: ["*.a.com"], resolution: "DNS", endpoints: [{ address: "a.com" }] },
		},
		given: [],
		finds: [],
	},
});
