import { requestauthenticationTarget as rule } from "../../../src/rules/attachment/requestauthentication-target.ts";
import { attachable, attachmentWorld, toEntry } from "../../support/attachments.ts";
import { gatewayCases, namespaceCases, testTargets } from "../../support/target-cases.ts";

testTargets(rule, {
	...gatewayCases("RequestAuthentication"),
	...namespaceCases("RequestAuthentication"),
	"warns of an entry whose requests nobody reads": {
		object: attachable("RequestAuthentication", toEntry("tls")),
		given: attachmentWorld,
		finds: ["warning spec.targetRefs[0].name"],
		says: /^No port of ServiceEntry tls is read as HTTP/,
	},
	"accepts an entry of which some requests are read": {
		object: attachable("RequestAuthentication", toEntry("api")),
		given: attachmentWorld,
		finds: [],
	},
	"reads the old single reference": {
		object: attachable("RequestAuthentication", {
			targetRef: { group: "networking.istio.io", kind: "ServiceEntry", name: "renamed" },
		}),
		given: attachmentWorld,
		finds: ["warning spec.targetRef.name"],
	},
});
