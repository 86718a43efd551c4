import { envoyfilterSharedCode as rule } from "../../../src/rules/attachment/envoyfilter-shared-code.ts";
import {
	attachable,
	developer,
	editor,
	attachmentWorld as given,
	editors as settings,
	toEntry,
	toGateway,
} from "../../support/attachments.ts";
import { governed } from "../../support/governed-shop.ts";
import { testRule } from "../../support/test-rule.ts";

const place = "spec.targetRefs[0].name";
const object = attachable("EnvoyFilter", toGateway("egress"), "istio-egress");
const own = attachable("EnvoyFilter", toGateway("own"));

testRule(rule, {
	"refuses a tenant's patches in a waypoint that serves others": {
		object,
		given,
		settings,
		requester: developer,
		finds: [`error ${place}`],
		says: /^Runs patches in the waypoint istio-egress\/egress, which serves other namespaces too/,
	},
	"refuses them in the waypoint that the namespace's policy names, wherever it stands": {
		object: own,
		given: [...given, governed("shop", { waypoint: "own" })],
		settings,
		requester: developer,
		finds: [`error ${place}`],
		says: /which the policy of this namespace names/,
	},
	"accepts them in a waypoint of the team's own": {
		object: own,
		given,
		settings,
		requester: developer,
		finds: [],
	},
	"lets policy editors do it": { object, given, settings, requester: editor, finds: [] },
	"has nothing to say where nobody knows who asks, or where no editors are named": {
		object,
		given,
		requester: developer,
		finds: [],
	},
	"has nothing to say of entries, for which no waypoint reads it": {
		object: attachable("EnvoyFilter", toEntry("api")),
		given,
		settings,
		requester: developer,
		finds: [],
	},
});
