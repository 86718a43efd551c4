import { serviceentryManagedLabel } from "../../../src/rules/capture/serviceentry-managed-label.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryManagedLabel, {
	"is silent about controllers without a meaning for waypoints": {
		object: withLabels(boundEntry, { "gateway.istio.io/managed": "istio.io-gateway-controller" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: [],
	},
});
