import { serviceentryHostCluster } from "../../../src/rules/capture/serviceentry-host-cluster.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryHostCluster, {
	"only warns of a name without a dot": {
		object: withSpec(boundEntry, { hosts: ["payments", "localhost", "api.payments.example.com"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["warning spec.hosts[0]", "error spec.hosts[1]"],
	},
	"leaves MESH_INTERNAL alone": {
		object: withSpec(boundEntry, { hosts: ["vm.team.svc.cluster.local"], location: "MESH_INTERNAL" }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: [],
	},
});
