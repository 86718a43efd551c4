import { wasmpluginSharedCode as rule } from "../../../src/rules/attachment/wasmplugin-shared-code.ts";
import { testCode } from "../../support/code-cases.ts";

testCode(rule);
