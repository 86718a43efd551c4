import { sidecarEgressProxy as rule } from "../../../src/rules/sidecar-egress/sidecar-egress-proxy.ts";
import { refusedWhereEnforced } from "../../support/egress-rules.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"refuses an egress proxy where ambient is enforced, tells it where permitted": refusedWhereEnforced(
		rule,
		"spec.outboundTrafficPolicy.egressProxy.host",
	),
});
