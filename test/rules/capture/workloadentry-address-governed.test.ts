import type { WorkloadEntry } from "../../../src/core/kinds.ts";
import { workloadentryAddressGoverned } from "../../../src/rules/capture/workloadentry-address-governed.ts";
import { testRule } from "../../support/test-rule.ts";

const machine = (spec: WorkloadEntry["spec"]): WorkloadEntry => ({
	apiVersion: "networking.istio.io/v1",
	kind: "WorkloadEntry",
	metadata: { name: "machine", namespace: "team" },
	spec,
});

testRule(workloadentryAddressGoverned, {
	"refuses an address in a block that an entry of another namespace sends through a waypoint": {
		object: machine({ address: "203.0.113.77" }),
		finds: ["error spec.address"],
		says: /ServiceEntry other\/partner sends through istio-egress\/egress/,
	},
	"is silent about an address apart, a name, another network and nothing": {
		object: machine({ address: "198.51.100.77" }),
		finds: [],
	},
	"is silent about a name": { object: machine({ address: "partner.example.net" }), finds: [] },
	"is silent about another network": {
		object: machine({ address: "203.0.113.77", network: "far" }),
		finds: [],
	},
	"is silent about nothing": { object: machine(null), finds: [] },
});
