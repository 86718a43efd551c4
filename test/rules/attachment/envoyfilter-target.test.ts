import { envoyfilterTarget as rule } from "../../../src/rules/attachment/envoyfilter-target.ts";
import { attachable, attachmentWorld, toEntry } from "../../support/attachments.ts";
import { gatewayCases, namespaceCases } from "../../support/target-cases.ts";
import { testRule } from "../../support/test-rule.ts";

testRule(rule, {
	"warns of every ServiceEntry, since a waypoint reads no EnvoyFilter for one": {
		object: attachable("EnvoyFilter", toEntry("api")),
		given: attachmentWorld,
		finds: ["warning spec.targetRefs[0].name"],
		says: /^A waypoint reads no EnvoyFilter for a ServiceEntry, so this does nothing$/,
	},
	...gatewayCases(
		"EnvoyFilter",
		(labels) => ({ workloadSelector: { labels } }),
		"spec.workloadSelector.labels",
	),
	...namespaceCases("EnvoyFilter"),
});
