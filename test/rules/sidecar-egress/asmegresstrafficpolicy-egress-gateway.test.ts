import { asmegresstrafficpolicyEgressGateway as rule } from "../../../src/rules/sidecar-egress/asmegresstrafficpolicy-egress-gateway.ts";
import { refusedWhereEnforced } from "../../support/egress-rules.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"refuses the egress gateway that it names where ambient is enforced, tells it where permitted":
		refusedWhereEnforced(rule, "spec.byEgressGateway.name"),
});
