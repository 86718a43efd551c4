import { serviceentryPortList } from "../../../src/rules/capture/serviceentry-port-list.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryPortList, {
	"takes absent ports for none": {
		object: withSpec(boundEntry, { ports: null }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["error spec.ports"],
	},
});
