import { grpcroutePolicyBackend as rule } from "../../../src/rules/policy/grpcroute-policy-backend.ts";
import { backendCases, mirrorCases } from "../../support/route-backends.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	...backendCases("GRPCRoute"),
	...mirrorCases("GRPCRoute"),
});
