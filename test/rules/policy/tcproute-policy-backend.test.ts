import { tcproutePolicyBackend as rule } from "../../../src/rules/policy/tcproute-policy-backend.ts";
import { backendCases } from "../../support/route-backends.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	...backendCases("TCPRoute"),
});
