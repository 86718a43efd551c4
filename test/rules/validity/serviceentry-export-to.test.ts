import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryExportTo } from "../../../src/rules/validity/serviceentry-export-to.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(serviceentryExportTo, {
	"takes . and the own namespace for the same": {
		object: { ...plainEntry, spec: { ...plainEntry.spec, exportTo: [".", "team"] } },
		given: [],
		finds: ["error spec.exportTo[1]"],
	},
	"refuses * and ~ beside others, and what is no namespace": {
		object: { ...plainEntry, spec: { ...plainEntry.spec, exportTo: ["*", "~", "a.b"] } },
		given: [],
		finds: ["error spec.exportTo[2]", "error spec.exportTo", "error spec.exportTo"],
	},
});
