import { authorizationpolicyTarget as rule } from "../../../src/rules/attachment/authorizationpolicy-target.ts";
import { gatewayCases, namespaceCases, testTargets } from "../../support/target-cases.ts";

testTargets(rule, { ...gatewayCases("AuthorizationPolicy"), ...namespaceCases("AuthorizationPolicy") });
