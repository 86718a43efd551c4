import { destinationruleEgressHost as rule } from "../../../src/rules/sidecar-egress/destinationrule-egress-host.ts";
import { refusedWhereEnforced } from "../../support/egress-rules.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"refuses the host of an egress gateway where ambient is enforced, tells it where permitted":
		refusedWhereEnforced(rule, "spec.host"),
});
