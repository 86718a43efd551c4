import { backendtlspolicyTarget as rule } from "../../../src/rules/attachment/backendtlspolicy-target.ts";
import { attachable, attachmentWorld } from "../../support/attachments.ts";
import { testTargets } from "../../support/target-cases.ts";

function toPort(sectionName: string): object {
	return {
		targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "http", sectionName }],
	};
}

testTargets(rule, {
	"warns of a port that the entry has not": {
		object: attachable("BackendTLSPolicy", toPort("https")),
		given: attachmentWorld,
		finds: ["warning spec.targetRefs[0].sectionName"],
		says: /^ServiceEntry http has no port of the name "https"/,
	},
	"accepts a port of the entry": {
		object: attachable("BackendTLSPolicy", toPort("http")),
		given: attachmentWorld,
		finds: [],
	},
});
