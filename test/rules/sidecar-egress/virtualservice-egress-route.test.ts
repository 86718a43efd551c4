import { virtualserviceEgressRoute as rule } from "../../../src/rules/sidecar-egress/virtualservice-egress-route.ts";
import { refusedWhereEnforced } from "../../support/egress-rules.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"refuses the route from the sidecars where ambient is enforced, tells it where permitted":
		refusedWhereEnforced(rule, "spec.tls[0].route[0].destination.host"),
});
