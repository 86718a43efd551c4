import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryHostName } from "../../../src/rules/validity/serviceentry-host-name.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryHostName, {
	"accepts upper case, a trailing dot and a short name, as istiod does": {
		object: {
			...plainEntry,
			spec: { hosts: ["API.example.com", "api.example.com.", "api", "*.example.com"] },
		},
		given: [],
		finds: [],
	},
	"refuses the host * and addresses": {
		object: { ...plainEntry, spec: { hosts: ["*", "10.0.0.1", "2001:db8::1"] } },
		given: [],
		finds: ["error spec.hosts[0]", "error spec.hosts[1]", "error spec.hosts[2]"],
	},
	"decides about numeric top-level domains as Go does": {
		object: {
			...plainEntry,
			spec: { hosts: ["a.+1", "a.9223372036854775807", "a.9223372036854775808"] },
		},
		given: [],
		finds: ["error spec.hosts[0]", "error spec.hosts[1]"],
	},
	"refuses a label of 64 characters and a name of 256": {
		object: { ...plainEntry, spec: { hosts: [`${"a".repeat(64)}.com`, `${"a.".repeat(127)}aa`] } },
		given: [],
		finds: ["error spec.hosts[0]", "error spec.hosts[1]"],
	},
});
