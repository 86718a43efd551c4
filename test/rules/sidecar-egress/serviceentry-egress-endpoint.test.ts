import { serviceentryEgressEndpoint as rule } from "../../../src/rules/sidecar-egress/serviceentry-egress-endpoint.ts";
import { refusedWhereEnforced } from "../../support/egress-rules.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"refuses an endpoint at an egress gateway where ambient is enforced, tells it where permitted":
		refusedWhereEnforced(rule, "spec.endpoints[0].address"),
});
