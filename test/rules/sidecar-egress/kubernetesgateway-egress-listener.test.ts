import { kubernetesgatewayEgressListener as rule } from "../../../src/rules/sidecar-egress/kubernetesgateway-egress-listener.ts";
import { refusedWhereEnforced } from "../../support/egress-rules.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"refuses a listener for an external host where ambient is enforced, tells it where permitted":
		refusedWhereEnforced(rule, "spec.listeners[0].hostname"),
});
