import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryDynamicDnsForm } from "../../../src/rules/validity/serviceentry-dynamic-dns-form.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryDynamicDnsForm, {
	"reports every reason against DYNAMIC_DNS": {
		object: {
			...plainEntry,
			spec: {
				hosts: ["a.com"],
				resolution: "DYNAMIC_DNS",
				addresses: ["203.0.113.1"],
				endpoints: [{ address: "a.com" }],
				ports: [{ number: 1, name: "a" }],
			},
		},
		given: [],
		finds: [
			"error spec.hosts[0]",
			"error spec.addresses",
			"error spec.endpoints",
			"error spec.ports[0].protocol",
		],
	},
	"accepts MESH_INTERNAL as long as no waypoint is asked for": {
		object: {
			...plainEntry,
			spec: { hosts: ["*.a.com"], resolution: "DYNAMIC_DNS", location: "MESH_INTERNAL" },
		},
		given: [],
		finds: [],
	},
});
