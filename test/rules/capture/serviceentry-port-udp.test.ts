import { serviceentryPortUdp } from "../../../src/rules/capture/serviceentry-port-udp.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryPortUdp, {
	"reads the protocol in any case": {
		object: withSpec(boundEntry, { ports: [{ number: 53, name: "dns", protocol: "udp" }] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["error spec.ports[0].protocol"],
	},
	"is silent where no waypoint is wanted": {
		object: withSpec(plainEntry, { ports: [{ number: 53, name: "dns", protocol: "UDP" }] }),
		given: [],
		finds: [],
	},
});
