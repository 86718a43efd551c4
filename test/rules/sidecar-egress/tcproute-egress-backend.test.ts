import { tcprouteEgressBackend as rule } from "../../../src/rules/sidecar-egress/tcproute-egress-backend.ts";
import { refusedWhereEnforced } from "../../support/egress-rules.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"refuses a backend that is an egress gateway where ambient is enforced, tells it where permitted":
		refusedWhereEnforced(rule, "spec.rules[0].backendRefs[0].name"),
});
