import { serviceentrySelectorLocation } from "../../../src/rules/capture/serviceentry-selector-location.ts";
import { plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentrySelectorLocation, {
	"takes an absent location for MESH_EXTERNAL": {
		object: withSpec(plainEntry, { location: null, workloadSelector: {} }),
		given: [],
		finds: ["warning spec.workloadSelector"],
	},
});
