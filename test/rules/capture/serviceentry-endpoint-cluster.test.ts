import { serviceentryEndpointCluster } from "../../../src/rules/capture/serviceentry-endpoint-cluster.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	exampleService,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryEndpointCluster, {
	"reports the address of a Service": {
		object: withSpec(boundEntry, {
			resolution: "STATIC",
			endpoints: [{ address: "10.96.0.9" }, { address: "10.0.0.1" }],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint, exampleService("proxy", "shop", "10.96.0.9")],
		finds: ["error spec.endpoints[0].address"],
	},
	"leaves MESH_INTERNAL, sockets and egress gateways to others": {
		object: withSpec(boundEntry, {
			endpoints: [{ address: "istio-egressgateway.istio-system.svc.cluster.local" }],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: [],
	},
});
