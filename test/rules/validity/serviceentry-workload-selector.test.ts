import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryWorkloadSelector } from "../../../src/rules/validity/serviceentry-workload-selector.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryWorkloadSelector, {
	"warns of a selector that selects everything": {
		object: { ...plainEntry, spec: { ...plainEntry.spec, workloadSelector: {} } },
		given: [],
		finds: ["warning spec.workloadSelector"],
	},
	"warns of a selector that has no effect": {
		object: {
			...plainEntry,
			spec: { ...plainEntry.spec, resolution: "NONE", workloadSelector: { labels: { app: "a" } } },
		},
		given: [],
		finds: ["warning spec.workloadSelector"],
	},
	"refuses an empty key and a wildcard in a key": {
		object: {
			...plainEntry,
			spec: { ...plainEntry.spec, workloadSelector: { labels: { "": "x", "a*": "y" } } },
		},
		given: [],
		finds: ['error spec.workloadSelector.labels[""]', 'error spec.workloadSelector.labels["a*"]'],
	},
});
