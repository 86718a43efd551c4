import { serviceentryRevision } from "../../../src/rules/capture/serviceentry-revision.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withLabels,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryRevision, {
	"refuses an empty revision": {
		object: withLabels(boundEntry, { "istio.io/rev": "" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ['error metadata.labels["istio.io/rev"]'],
	},
});
