import { httproutePolicyBackend as rule } from "../../../src/rules/policy/httproute-policy-backend.ts";
import { twoTeams } from "../../support/governed-shop.ts";
import { backendCases, mirrorCases, routeOf } from "../../support/route-backends.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	...backendCases("HTTPRoute"),
	...mirrorCases("HTTPRoute"),
	"refuses an authority that is no allowed host": {
		object: routeOf("HTTPRoute", [
			{ filters: [{ type: "URLRewrite", urlRewrite: { hostname: "files.bank.example" } }] },
			{ filters: [{ type: "RequestRedirect", requestRedirect: { hostname: "files.bank.example" } }] },
		]),
		given: twoTeams,
		finds: [
			"error spec.rules[0].filters[0].urlRewrite.hostname",
			"error spec.rules[1].filters[0].requestRedirect.hostname",
		],
	},
});
