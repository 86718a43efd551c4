import { istiogatewayEgressSelector as rule } from "../../../src/rules/sidecar-egress/istiogateway-egress-selector.ts";
import { refusedWhereEnforced } from "../../support/egress-rules.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"refuses the selector of an egress gateway where ambient is enforced, tells it where permitted":
		refusedWhereEnforced(rule, "spec.selector.istio"),
});
