import { wasmpluginTarget as rule } from "../../../src/rules/attachment/wasmplugin-target.ts";
import { attachable, attachmentWorld, toEntry } from "../../support/attachments.ts";
import { gatewayCases, namespaceCases, testTargets } from "../../support/target-cases.ts";

testTargets(rule, {
	...gatewayCases("WasmPlugin"),
	...namespaceCases("WasmPlugin"),
	"warns of an entry whose requests nobody reads": {
		object: attachable("WasmPlugin", toEntry("tls")),
		given: attachmentWorld,
		finds: ["warning spec.targetRefs[0].name"],
		says: /^No port of ServiceEntry tls is read as HTTP/,
	},
	"accepts a plugin for connections there": {
		object: attachable("WasmPlugin", toEntry("tls", { type: "NETWORK" })),
		given: attachmentWorld,
		finds: [],
	},
	"accepts an entry of which some requests are read": {
		object: attachable("WasmPlugin", toEntry("api")),
		given: attachmentWorld,
		finds: [],
	},
	"reads the old single reference": {
		object: attachable("WasmPlugin", {
			targetRef: { group: "networking.istio.io", kind: "ServiceEntry", name: "renamed" },
		}),
		given: attachmentWorld,
		finds: ["warning spec.targetRef.name"],
	},
});
