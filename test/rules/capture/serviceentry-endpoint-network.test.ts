import type { AnyObject } from "../../../src/core/kinds.ts";
import { serviceentryEndpointNetwork as rule } from "../../../src/rules/capture/serviceentry-endpoint-network.ts";
import { boundEntry, teamNamespace, withSpec } from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

const at = (...networks: readonly (string | undefined)[]): object =>
	withSpec(boundEntry, {
		resolution: "STATIC",
		endpoints: networks.map((network, index) => ({
			address: `203.0.113.${index + 1}`,
			...(network === undefined ? {} : { network }),
		})),
	});
const root: AnyObject = {
	apiVersion: "v1",
	kind: "Namespace",
	metadata: { name: "istio-system", labels: { "topology.istio.io/network": "here" } },
};

testRule(rule, {
	"warns of endpoints in another network": {
		object: at(undefined, "far", ""),
		finds: ["warning spec.endpoints[1].network"],
		says: /goes to the gateway of network "far", wherever/,
	},
	"knows the network of the cluster": {
		object: at("here", "far"),
		given: [teamNamespace, root],
		finds: ["warning spec.endpoints[1].network"],
	},
	"is silent where ambient is not enforced": {
		object: at("far"),
		given: [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } }],
		finds: [],
	},
});
