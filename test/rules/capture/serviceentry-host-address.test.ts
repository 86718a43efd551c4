import { serviceentryHostAddress } from "../../../src/rules/capture/serviceentry-host-address.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withLabels,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryHostAddress, {
	"asks for no address where nobody wants a waypoint": {
		object: withSpec(plainEntry, { resolution: "NONE" }),
		given: [],
		finds: [],
	},
	"knows NONE from an absent resolution, and the label that forbids allocation in any case": {
		object: withLabels(boundEntry, { "networking.istio.io/enable-autoallocate-ip": "FALSE" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ['error metadata.labels["networking.istio.io/enable-autoallocate-ip"]'],
	},
	"accepts listed addresses": {
		object: withSpec(boundEntry, { resolution: "NONE", addresses: ["203.0.113.0/24"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: [],
	},
	"reports an entry that only the policy wants bound": {
		object: withSpec(plainEntry, { resolution: null }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["error spec.resolution"],
	},
});
