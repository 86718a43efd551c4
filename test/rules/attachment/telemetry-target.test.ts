import { telemetryTarget as rule } from "../../../src/rules/attachment/telemetry-target.ts";
import { attachable, attachmentWorld, toClass, toGateway } from "../../support/attachments.ts";
import { gatewayCases, testTargets } from "../../support/target-cases.ts";

testTargets(rule, {
	...gatewayCases("Telemetry"),
	"accepts the Gateway of its own namespace": {
		object: attachable("Telemetry", toGateway("own"), "shop"),
		given: attachmentWorld,
		finds: [],
	},
	"accepts the class of waypoints in the root namespace, and other classes": {
		object: attachable("Telemetry", toClass("nginx"), "istio-system"),
		given: attachmentWorld,
		finds: [],
	},
	"warns of the class of waypoints in the root namespace, which holds for entries there only": {
		object: attachable("Telemetry", toClass(), "istio-system"),
		given: attachmentWorld,
		finds: ["warning spec.targetRefs[0].name"],
		hints: /^Leave targetRefs out: in namespace istio-system it holds for the whole mesh then$/,
	},
	"warns of a waypoint's Gateway where entries of other namespaces go through it": {
		object: attachable("Telemetry", toGateway("egress"), "istio-egress"),
		given: attachmentWorld,
		finds: ["warning spec.targetRefs[0].name"],
		says: /own namespace only, so this does not hold for ServiceEntry shop\/api$/,
	},
	"has nothing to say of a namespace's own, which its waypoint reads": {
		object: attachable("Telemetry", {}, "istio-egress"),
		given: attachmentWorld,
		finds: [],
	},
});
