import { serviceentryStaticEndpoint } from "../../../src/rules/capture/serviceentry-static-endpoint.ts";
import { plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryStaticEndpoint, {
	"accepts a selector": {
		object: withSpec(plainEntry, { resolution: "STATIC", workloadSelector: { labels: { app: "a" } } }),
		given: [],
		finds: [],
	},
	"reports an empty list": {
		object: withSpec(plainEntry, { resolution: "STATIC", endpoints: [] }),
		given: [],
		finds: ["error spec.endpoints"],
	},
});
