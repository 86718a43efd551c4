import { serviceentryHostPublicSuffix } from "../../../src/rules/capture/serviceentry-host-public-suffix.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	teamNamespace,
	withSpec,
} from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryHostPublicSuffix, {
	"warns of suffixes that companies let to customers": {
		object: withSpec(boundEntry, { hosts: ["*.github.io"] }),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["warning spec.hosts[0]"],
	},
	"knows suffixes of which every name below is a suffix, too": {
		object: withSpec(boundEntry, {
			hosts: ["*.kawasaki.jp", "*.compute.amazonaws.com", "*.city.kawasaki.jp"],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["error spec.hosts[0]", "warning spec.hosts[1]"],
	},
	"refuses a partial wildcard that reaches into other domains, and only such a one": {
		object: withSpec(boundEntry, {
			hosts: ["*payments.example.com", "*-eu.payments.example.com", "*example.com"],
		}),
		given: [teamNamespace, egressNamespace, egressWaypoint],
		finds: ["error spec.hosts[2]"],
	},
});
