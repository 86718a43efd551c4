import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryHostProtocol } from "../../../src/rules/validity/serviceentry-host-protocol.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryHostProtocol, {
	"accepts several hosts with HTTP and TLS, and with any protocol under NONE": {
		object: {
			...plainEntry,
			spec: {
				hosts: ["a.com", "b.com"],
				resolution: "NONE",
				ports: [{ number: 1, name: "a", protocol: "TCP" }],
			},
		},
		given: [],
		finds: [],
	},
	"refuses a port without a protocol for several hosts": {
		object: {
			...plainEntry,
			spec: {
				hosts: ["a.com", "b.com"],
				resolution: "DNS",
				ports: [
					{ number: 80, name: "http", protocol: "http" },
					{ number: 1, name: "a" },
				],
			},
		},
		given: [],
		finds: ["error spec.ports[1].protocol"],
	},
	"warns of shared addresses on a TCP port": {
		object: {
			...plainEntry,
			spec: {
				hosts: ["a.com", "b.com"],
				addresses: ["203.0.113.1"],
				resolution: "DNS",
				ports: [{ number: 1, name: "a", protocol: "TLS" }],
			},
		},
		given: [],
		finds: ["warning spec.hosts"],
	},
});
