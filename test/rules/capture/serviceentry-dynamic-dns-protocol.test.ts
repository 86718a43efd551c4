import { serviceentryDynamicDnsProtocol } from "../../../src/rules/capture/serviceentry-dynamic-dns-protocol.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryDynamicDnsProtocol, {
	"warns of TLS, which hangs on a flag": {
		object: withSpec(boundEntry, { hosts: ["*.a.example.com"], resolution: "DYNAMIC_DNS" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["warning spec.ports[0].protocol"],
	},
	"refuses HTTP2 in any case": {
		object: withSpec(boundEntry, {
			hosts: ["*.a.example.com"],
			resolution: "DYNAMIC_DNS",
			ports: [
				{ number: 80, name: "a", protocol: "http2" },
				{ number: 81, name: "b", protocol: "http" },
			],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["error spec.ports[0].protocol"],
	},
});
