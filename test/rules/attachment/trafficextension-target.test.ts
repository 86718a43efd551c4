import { trafficextensionTarget as rule } from "../../../src/rules/attachment/trafficextension-target.ts";
import { gatewayCases, namespaceCases, testTargets } from "../../support/target-cases.ts";

testTargets(rule, { ...gatewayCases("TrafficExtension"), ...namespaceCases("TrafficExtension") });
