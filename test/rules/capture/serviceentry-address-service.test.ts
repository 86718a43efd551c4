import { serviceentryAddressService } from "../../../src/rules/capture/serviceentry-address-service.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	exampleService,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryAddressService, {
	"reports the address of one Service": {
		object: withSpec(boundEntry, { addresses: ["10.96.7.7"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint, exampleService("orders", "shop", "10.96.7.7")],
		finds: ["error spec.addresses[0]"],
	},
});
