import { serviceentryPortSniffing } from "../../../src/rules/capture/serviceentry-port-sniffing.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryPortSniffing, {
	"takes an empty protocol for none": {
		object: withSpec(boundEntry, { ports: [{ number: 443, name: "tls", protocol: "" }] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["warning spec.ports[0].protocol"],
	},
});
