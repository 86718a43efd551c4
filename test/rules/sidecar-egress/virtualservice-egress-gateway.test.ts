import { virtualserviceEgressGateway as rule } from "../../../src/rules/sidecar-egress/virtualservice-egress-gateway.ts";
import { refusedWhereEnforced } from "../../support/egress-rules.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"refuses the gateway of the second hop where ambient is enforced, tells it where permitted":
		refusedWhereEnforced(rule, "spec.gateways[1]"),
});
