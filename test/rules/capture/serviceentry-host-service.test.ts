import { serviceentryHostService } from "../../../src/rules/capture/serviceentry-host-service.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	exampleService,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

const alias = {
	...exampleService("alias", "team", "None"),
	spec: { type: "ExternalName", externalName: "www.example.com" },
};

testRule(serviceentryHostService, {
	"does not count ExternalName Services, nor Services that do not exist": {
		object: withSpec(boundEntry, { hosts: ["alias.team.svc.cluster.local", "none.team.svc.cluster.local"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint, alias],
		finds: [],
	},
	"reports a Service of another namespace": {
		object: withSpec(boundEntry, { hosts: ["orders.shop.svc.cluster.local"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint, exampleService("orders", "shop", "10.96.0.9")],
		finds: ["error spec.hosts[0]"],
	},
});
