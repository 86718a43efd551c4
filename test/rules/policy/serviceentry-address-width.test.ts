import { boundEntry, withSpec } from "../../../src/rules/examples.ts";
import { serviceentryAddressWidth } from "../../../src/rules/policy/serviceentry-address-width.ts";
import { testRule } from "../../support/test-rule.ts";

const listing = (...addresses: readonly string[]): object =>
	withSpec(boundEntry, { resolution: "NONE", addresses: [...addresses] });

testRule(serviceentryAddressWidth, {
	"refuses /7 and lets /8 pass": {
		object: listing("10.0.0.0/8", "8.0.0.0/7"),
		finds: ["error spec.addresses[1]"],
		says: /"8\.0\.0\.0\/7" is wider than \/8/,
	},
	"refuses /15 of IPv6 and lets /16 pass": {
		object: listing("2001::/16", "2000::/15", "::/0"),
		finds: ["error spec.addresses[1]", "error spec.addresses[2]"],
		says: /wider than \/16/,
	},
	"reads a mapped block as the IPv4 block that it is": {
		object: listing("::ffff:0.0.0.0/96"),
		finds: ["error spec.addresses[0]"],
	},
	"is silent about single addresses and what is none": {
		object: listing("203.0.113.7", "2001:db8::1", "nonsense"),
		finds: [],
	},
	"is silent where ambient is not enforced": {
		object: listing("0.0.0.0/0"),
		given: [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } }],
		finds: [],
	},
});
