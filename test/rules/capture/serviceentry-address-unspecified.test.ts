import { serviceentryAddressUnspecified as rule } from "../../../src/rules/capture/serviceentry-address-unspecified.ts";
import { boundEntry, withSpec } from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

const listing = (...addresses: readonly string[]): object =>
	withSpec(boundEntry, { resolution: "NONE", addresses: [...addresses] });
const sidecars = [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } }];

testRule(rule, {
	"warns of addresses that stand for any address": {
		object: listing("0.0.0.0", "::", "203.0.113.7"),
		finds: ["warning spec.addresses[0]", "warning spec.addresses[1]"],
		says: /"0\.0\.0\.0" means any address to a sidecar/,
	},
	"warns of blocks that begin there, however long their prefix": {
		object: listing("0.0.0.0/8", "0.0.0.0/24", "::/64", "::ffff:0.0.0.0/104"),
		finds: [0, 1, 2, 3].map((index) => `warning spec.addresses[${index}]`),
	},
	"leaves a block wider than /8 to the rule that refuses it where ambient is enforced": {
		object: listing("0.0.0.0/0", "8.0.0.0/7"),
		finds: [],
	},
	"warns of a block wider than /8 where sidecars see it": {
		object: listing("0.0.0.0/0", "8.0.0.0/7", "10.0.0.0/8"),
		given: sidecars,
		finds: ["warning spec.addresses[0]", "warning spec.addresses[1]"],
	},
	"is silent about networks, hosts and what is no address": {
		object: listing("10.0.0.0/8", "2001:db8::/32", "0.0.0.1", "::1", "nonsense"),
		finds: [],
	},
});
