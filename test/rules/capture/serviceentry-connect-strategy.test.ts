import { serviceentryConnectStrategy } from "../../../src/rules/capture/serviceentry-connect-strategy.ts";
import { plainEntry, withAnnotations } from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryConnectStrategy, {
	"is silent about the default strategy": {
		object: withAnnotations(plainEntry, { "istio.io/connect-strategy": "DEFAULT" }),
		given: [],
		finds: [],
	},
});
