import { serviceentryIngressLabel } from "../../../src/rules/capture/serviceentry-ingress-label.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryIngressLabel, {
	"reads what Go's ParseBool reads": {
		object: withLabels(boundEntry, { "istio.io/ingress-use-waypoint": "T" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: [],
	},
});
