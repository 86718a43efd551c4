import { tlsroutePolicyBackend as rule } from "../../../src/rules/policy/tlsroute-policy-backend.ts";
import { backendCases } from "../../support/route-backends.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	...backendCases("TLSRoute"),
});
