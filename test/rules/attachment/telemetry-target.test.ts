import { telemetryTarget as rule } from "../../../src/rules/attachment/telemetry-target.ts";
import { attachable, attachmentWorld } from "../../support/attachments.ts";
import { gatewayCases, testTargets } from "../../support/target-cases.ts";

testTargets(rule, {
	...gatewayCases("Telemetry"),
	"has nothing to say of a namespace's own, which its waypoint reads": {
		object: attachable("Telemetry", {}, "istio-egress"),
		given: attachmentWorld,
		finds: [],
	},
});
