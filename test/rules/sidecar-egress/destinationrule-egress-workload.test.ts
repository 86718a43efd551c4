import { destinationruleEgressWorkload as rule } from "../../../src/rules/sidecar-egress/destinationrule-egress-workload.ts";
import { refusedWhereEnforced } from "../../support/egress-rules.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"refuses a selector for an egress gateway's pods where ambient is enforced, tells it where permitted":
		refusedWhereEnforced(rule, "spec.workloadSelector"),
});
