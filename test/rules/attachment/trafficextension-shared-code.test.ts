import { trafficextensionSharedCode as rule } from "../../../src/rules/attachment/trafficextension-shared-code.ts";
import { testCode } from "../../support/code-cases.ts";

testCode(rule);
