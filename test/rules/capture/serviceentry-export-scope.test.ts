import { serviceentryExportScope } from "../../../src/rules/capture/serviceentry-export-scope.ts";
import { plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryExportScope, {
	"is silent about * and where ambient is not enforced": {
		object: withSpec(plainEntry, { exportTo: ["."] }),
		given: [],
		finds: [],
	},
});
