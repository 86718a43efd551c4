import { serviceentrySubjectAltName } from "../../../src/rules/capture/serviceentry-subject-alt-name.ts";
import { plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentrySubjectAltName, {
	"is silent where no waypoint is wanted": {
		object: withSpec(plainEntry, { subjectAltNames: ["a"] }),
		given: [],
		finds: [],
	},
});
