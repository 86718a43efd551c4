import { plainEntry, withAnnotations } from "../../../src/rules/examples.ts";
import { serviceentryAnnotationReserved } from "../../../src/rules/validity/serviceentry-annotation-reserved.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryAnnotationReserved, {
	"reports each annotation, whatever its value": {
		object: withAnnotations(plainEntry, {
			"internal.istio.io/webhook-always-reject": "false",
			"internal.istio.io/parents": "",
			"example.com/owner": "payments",
		}),
		given: [],
		finds: [
			'error metadata.annotations["internal.istio.io/webhook-always-reject"]',
			'error metadata.annotations["internal.istio.io/parents"]',
		],
	},
});
