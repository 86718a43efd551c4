import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryEndpointAddress } from "../../../src/rules/validity/serviceentry-endpoint-address.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryEndpointAddress, {
	"accepts names for DNS and sockets for STATIC": {
		object: {
			...plainEntry,
			spec: {
				hosts: ["a.com"],
				ports: [{ number: 1, name: "a" }],
				resolution: "STATIC",
				endpoints: [{ address: "unix:///run/a.sock" }, { address: "unix://@a" }],
			},
		},
		given: [],
		finds: [],
	},
	"refuses what the resolution cannot use": {
		object: {
			...plainEntry,
			spec: {
				resolution: "STATIC",
				ports: [{ number: 1, name: "a" }],
				endpoints: [{ address: "a.com" }, {}, { address: "" }, { address: "unix://run" }, { network: "n" }],
			},
		},
		given: [],
		finds: [
			"error spec.endpoints[0].address",
			"error spec.endpoints[1].address",
			"error spec.endpoints[2].address",
			"error spec.endpoints[3].address",
			"warning spec.endpoints[4].address",
		],
	},
	"refuses a Unix socket with ports of its own": {
		object: {
			...plainEntry,
			spec: {
				hosts: ["a.com"],
				ports: [{ number: 1, name: "a" }],
				resolution: "STATIC",
				endpoints: [{ address: "unix:///run/a.sock", ports: { a: 2 } }],
			},
		},
		given: [],
		finds: ["error spec.endpoints[0].ports"],
	},
	"refuses wildcards for DNS": {
		object: {
			...plainEntry,
			spec: { resolution: "DNS", endpoints: [{ address: "*.a.com" }, { address: "1.2.3.4" }] },
		},
		given: [],
		finds: ["error spec.endpoints[0].address"],
	},
});
