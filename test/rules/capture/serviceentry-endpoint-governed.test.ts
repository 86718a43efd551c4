import type { AnyObject, ServiceEntry } from "../../../src/core/kinds.ts";
import { serviceentryEndpointGoverned } from "../../../src/rules/capture/serviceentry-endpoint-governed.ts";
import { boundEntry, plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

const given = serviceentryEndpointGoverned.docs.given ?? [];
const withEndpoints = (
	...endpoints: NonNullable<NonNullable<ServiceEntry["spec"]>["endpoints"]>
): ServiceEntry => withSpec(boundEntry, { resolution: "STATIC", endpoints });
const permitted = given.map((object) =>
	object.kind === "Namespace" && object.metadata?.name === "other"
		? { ...object, metadata: { name: "other" } }
		: object,
);

testRule(serviceentryEndpointGoverned, {
	"refuses an endpoint in a block that another entry sends through a waypoint": {
		object: withEndpoints({ address: "198.51.100.7" }, { address: "203.0.113.10" }),
		finds: ["error spec.endpoints[1].address"],
		says: /^Endpoint "203\.0\.113\.10" is an address that ServiceEntry other\/partner sends through istio-egress\/egress \(203\.0\.113\.0\/24\)/,
	},
	"refuses it in an entry without a waypoint, too": {
		object: withSpec(plainEntry, { resolution: "STATIC", endpoints: [{ address: "203.0.113.10" }] }),
		finds: ["error spec.endpoints[0].address"],
	},
	"only warns where the other namespace does not enforce ambient": {
		object: withEndpoints({ address: "203.0.113.10" }),
		given: permitted as readonly AnyObject[],
		finds: ["warning spec.endpoints[0].address"],
	},
	"is silent about its own addresses, of which another rule speaks": {
		object: withSpec(boundEntry, {
			resolution: "STATIC",
			addresses: ["198.51.100.7"],
			endpoints: [{ address: "198.51.100.7" }],
		}),
		finds: [],
	},
	"is silent about names, blocks and nothing": {
		object: withEndpoints({ address: "partner.example.net" }, { address: "203.0.113.0/25" }, {}),
		finds: [],
	},
});
